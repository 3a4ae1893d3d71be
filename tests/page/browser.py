"""A real Chromium without a window, driven over its own protocol."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import aiohttp

PATIENCE_S = 60.0
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """The program, where there is one."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Browser:
    """Runs for the time of a ``with`` block."""

    def __init__(self, program: str, profile: Path) -> None:
        self._command = [
            program, "--headless", "--disable-gpu", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", "--mute-audio",
            "--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0",
            f"--user-data-dir={profile}", "about:blank",
        ]  # fmt: skip
        if os.getuid() == 0:
            self._command.insert(1, "--no-sandbox")
        self._port_file = profile / "DevToolsActivePort"

    def __enter__(self) -> Browser:
        self.loop = asyncio.new_event_loop()
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until_s = time.monotonic() + PATIENCE_S
        while not self._port_file.exists() or "\n" not in self._port_file.read_text():
            assert self._process.poll() is None, "Chromium has ended"
            assert time.monotonic() < until_s, "Chromium does not answer"
            time.sleep(0.05)
        port, path = self._port_file.read_text().split("\n")[:2]
        self.loop.run_until_complete(self._connect(f"ws://127.0.0.1:{port}{path}"))
        return self

    async def _connect(self, address: str) -> None:
        self._session = aiohttp.ClientSession()
        self.socket = await self._session.ws_connect(address, max_msg_size=0)
        self.numbers = itertools.count(1)
        self.tabs: dict[str, Tab] = {}

    def __exit__(self, *ending: object) -> None:
        with contextlib.suppress(Exception):
            self.loop.run_until_complete(self._session.close())
        self._process.terminate()
        self._process.wait()
        self.loop.close()

    def open(self, path: Path, width: int) -> Tab:
        """A page of this machine in a new tab."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        found = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        tab = self.tabs[found["sessionId"]] = Tab(self, found["sessionId"])
        for name in ("Page", "Runtime", "Log", "Network"):
            tab.call(f"{name}.enable")
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        tab.call("Emulation.setDeviceMetricsOverride", size)
        tab.call("Page.navigate", {"url": path.as_uri()})
        tab.until("document.readyState === 'complete' && location.href !== 'about:blank'")
        return tab

    def call(self, method: str, arguments: dict[str, Any], session: str = "") -> dict[str, Any]:
        """Ask, and wait for the answer."""
        return self.loop.run_until_complete(self._call(method, arguments, session))

    async def _call(self, method: str, arguments: dict[str, Any], session: str) -> dict[str, Any]:
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": arguments}
        await self.socket.send_json(message | ({"sessionId": session} if session else {}))
        while True:
            answer = await self.socket.receive_json(timeout=PATIENCE_S)
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            if (tab := self.tabs.get(answer.get("sessionId", ""))) is not None:
                tab.hear(answer.get("method", ""), answer.get("params", {}))


class Tab:
    """One page.

    Attributes
    ----------
    said : list
        What came on the console, errors and blocked content among it.
    asked : list of str
        Addresses that were asked for, but for the page itself and data addresses.
    """

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session
        self.said: list[Any] = []
        self.asked: list[str] = []

    def call(self, method: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask this tab."""
        return self._browser.call(method, arguments or {}, self._session)

    def hear(self, method: str, told: dict[str, Any]) -> None:
        """Keep what matters of an event."""
        if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded",
                      "Page.javascriptDialogOpening"):  # fmt: skip
            self.said.append(told)
        if method == "Network.requestWillBeSent":
            address = told["request"]["url"]
            if not address.startswith(("data:", "file:", "about:")):
                self.asked.append(address)

    def run(self, script: str) -> Any:
        """Value of an expression, of a promise what it comes to."""
        told = self.call(
            "Runtime.evaluate",
            {"expression": script, "awaitPromise": True, "returnByValue": True, "replMode": True,
             "userGesture": True},
        )  # fmt: skip
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until an expression is true."""
        until_s = time.monotonic() + PATIENCE_S
        while not self.run(script):
            assert time.monotonic() < until_s, f"never came true: {script}"
            time.sleep(0.05)
