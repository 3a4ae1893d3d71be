"""A way to a bucket on which the weather changes: refusals, delays, broken connections.

Comes in: the address of an S3 server, and from time to time a word. Goes out: a server of its own
that hands every request on, as the word says:

    fine      as it is
    503       refused, with the ``SlowDown`` of an overloaded bucket
    slow      after half a second to a second and a half
    broken    the connection ends in the middle, of the request and of the answer in turns
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

FINE = "fine"
SLOWEST_S, FASTEST_S = 1.5, 0.5
HEAD_BYTES = 1 << 16
PIECE_BYTES = 1 << 16
NO_LINGER = struct.pack("ii", 1, 0)
TORN_BYTES = 64
"""So much of an answer gets through before it is torn off."""

BODY = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code>'
    b"<Message>Please reduce your request rate.</Message></Error>"
)
REFUSAL = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    b"Content-Length: " + str(len(BODY)).encode() + b"\r\n\r\n"
)


class Weather:
    """The server; a context manager.

    Parameters
    ----------
    host : str
        Address to listen on.
    upstream : tuple of str and int
        Where the bucket is.
    port : int
        Port to listen on; 0: any.

    Attributes
    ----------
    now : str
        The weather; whoever holds this object may change it.
    met : Counter
        How many requests met which weather.
    """

    def __init__(self, host: str, upstream: tuple[str, int], port: int = 0) -> None:
        self._host, self._upstream = host, upstream
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._chance = random.Random(5)
        self._tasks: set[asyncio.Task[Any]] = set()
        self.now = FINE
        self.met: Counter[str] = Counter()
        self.port = port

    @property
    def url(self) -> str:
        """Its address, as clients take it."""
        return f"http://{self._host}:{self.port}"

    def __enter__(self) -> Weather:
        self._thread.start()
        self._server = self._do(
            asyncio.start_server(self._serve, self._host, self.port, limit=HEAD_BYTES)
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _do(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _end(self) -> None:
        self._server.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        """One request; the connection ends with it, so that the next one meets new weather."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)  # asyncio forgets a task whose client has gone while it waits
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await client.readuntil(b"\r\n\r\n")
            weather = self.now
            self.met[weather] += 1
            if weather == "503":
                answer.write(REFUSAL + (b"" if head.startswith(b"HEAD") else BODY))
                await answer.drain()
            else:
                await self._hand_on(_closing(head), client, answer, weather)
        answer.close()

    async def _hand_on(
        self,
        head: bytes,
        client: asyncio.StreamReader,
        answer: asyncio.StreamWriter,
        weather: str,
    ) -> None:
        if weather == "slow":
            await asyncio.sleep(self._chance.uniform(FASTEST_S, SLOWEST_S))
        if weather == "broken" and self.met[weather] % 2:
            _reset(answer)
            return
        back, there = await asyncio.open_connection(*self._upstream)
        there.write(head)
        sending = asyncio.ensure_future(_pour(client, there))
        try:
            await _pour(back, answer, TORN_BYTES if weather == "broken" else None)
            if weather == "broken":
                _reset(answer)
        finally:
            sending.cancel()
            there.close()


def _reset(answer: asyncio.StreamWriter) -> None:
    """End a connection by a reset, as a router does that has forgotten it."""
    answer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    answer.transport.abort()


async def _pour(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, most: int | None = None
) -> None:
    """Everything from one to the other; no more than `most` bytes."""
    with contextlib.suppress(asyncio.CancelledError, ConnectionError):
        while piece := await source.read(PIECE_BYTES):
            target.write(piece[:most])
            await target.drain()
            if most is not None:
                return


def _closing(head: bytes) -> bytes:
    """The request's head, asking the server to end the connection after its answer."""
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([first, *kept, b"Connection: close", b"", b""])


@contextlib.contextmanager
def passing(weather: Weather, word: str) -> Iterator[None]:
    """So it is inside the ``with`` block."""
    weather.now = word
    try:
        yield
    finally:
        weather.now = FINE
