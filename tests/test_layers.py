"""The import layers of the package, kept from the source itself: nothing is imported here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "raypipe"

BASE = {"errors", "types", "settings", "storage", "telemetry", "version", "machine"}
SOUND = {"audio", "dsp", "inference"}
DRIVING = {
    "driver", "work", "executors", "dispatch", "scoring", "survey", "tuning", "enhancer",
    "ray_data",
}  # fmt: skip

MAY_IMPORT: dict[str, set[str]] = {
    "version": set(),
    "machine": set(),
    "errors": set(),
    "types": {"errors"},
    "settings": {"errors", "types"},
    "configuration": {"errors", "types", "settings"},
    "storage": {"errors", "types"},
    "telemetry": {"errors", "types"},
    "audio": BASE,
    "dsp": BASE,
    "inference": BASE,
    "quality": BASE | {"dsp"},
    "plan": BASE | SOUND,
    "pipelines": BASE | SOUND,
    "results": BASE | SOUND | {"quality"},
    "page": BASE | SOUND | {"results", "quality"},
    "execution": BASE | SOUND | {"pipelines", "quality"},
    "monitoring": BASE,
    "tuning": BASE | {"inference"},
    "tally": BASE | {"results", "monitoring"},
    "dispatch": BASE | {"plan", "execution", "results", "monitoring", "tally"},
    "work": BASE | {"inference", "plan", "results"},
    "executors": BASE | {"plan", "execution", "results", "tuning", "work"},
    "driver": BASE
    | {"inference", "plan", "execution", "results", "monitoring", "tally", "dispatch"}
    | {"work", "executors"},
    "score_loop": BASE | {"plan", "execution", "results"},
    "scoring": BASE | {"quality", "plan", "execution", "results", "executors", "score_loop"},
    "survey": BASE | SOUND | {"plan", "execution", "pipelines", "work", "executors", "tuning"},
    "arrays": {"errors", "types"},
    "enhancer": BASE | SOUND | {"configuration", "pipelines", "arrays"},
    "ray_data": BASE | SOUND | {"configuration", "pipelines", "arrays", "enhancer"},
    "cli": BASE
    | SOUND
    | {"quality", "pipelines", "plan", "execution", "results", "monitoring", "page"}
    | {"configuration"}
    | DRIVING,
}
"""What each room may import from besides itself. A room is a folder or a file of the package."""

FACE = "__init__"
"""The package's own face: it may import anything, and nothing inside imports from it."""

MEET_IN_THE_DRIVER = {"plan", "execution", "results"}
MEETING_PLACES = {"driver", "work", "executors", "dispatch", "survey", "scoring", "score_loop"}

MAY_IMPORT_RAY = {"execution", "serve", "monitoring"}
NEVER_AT_RUN_TIME = {"tensorflow", "tf_keras", "keras", "torch"}

MOST_LINES = 400


def source_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST, module: str) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a module imports, in functions too.

    ``from a import b`` counts as ``a.b``, as *b* may be a module; relative names are resolved
    against `module`, the dotted name of the package that the file lies in.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                parents = module.split(".")[: len(module.split(".")) - node.level + 1]
                origin = ".".join([*parents, origin] if origin else parents)
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def imports_of(path: Path) -> list[tuple[int, str]]:
    module = ".".join(["raypipe", *path.relative_to(PACKAGE).parts[:-1]])
    return list(imported(ast.parse(path.read_text(encoding="utf-8")), module))


def inner(name: str) -> str | None:
    """Room of an imported name, FACE for what comes from the package itself."""
    first, *rest = name.split(".")
    if first != "raypipe":
        return None
    return rest[0] if rest and rest[0] in MAY_IMPORT else FACE


@pytest.mark.parametrize("path", source_files(), ids=name_of)
def test_imports_fall_one_way(path: Path) -> None:
    room = room_of(path)
    if room == FACE:
        return
    allowed = MAY_IMPORT[room] | {room}
    wrong = [
        f"line {line}: {name}"
        for line, name in imports_of(path)
        if inner(name) not in {None, *allowed}
    ]
    assert not wrong, f"{name_of(path)} may not import {wrong}"


@pytest.mark.parametrize("path", source_files(), ids=name_of)
def test_plan_execution_and_results_meet_in_the_driver_only(path: Path) -> None:
    room = room_of(path)
    met = {inner(name) for _, name in imports_of(path)} & MEET_IN_THE_DRIVER
    assert len(met) <= 1 or room in MEETING_PLACES | {FACE}


@pytest.mark.parametrize("path", source_files(), ids=name_of)
def test_ray_stays_in_its_rooms_and_the_model_makers_stay_out(path: Path) -> None:
    outer = {name.split(".")[0] for _, name in imports_of(path)}
    assert not outer & NEVER_AT_RUN_TIME
    assert "ray" not in outer or room_of(path) in MAY_IMPORT_RAY


@pytest.mark.parametrize("path", source_files(), ids=name_of)
def test_no_file_grows_past_the_limit(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < MOST_LINES


def test_every_room_is_in_the_table_and_the_table_has_no_other() -> None:
    assert {room_of(path) for path in source_files()} - {FACE} == set(MAY_IMPORT)


def test_the_table_has_no_circle() -> None:
    left = dict(MAY_IMPORT)
    while left:
        lowest = {room for room, below in left.items() if not below & set(left)}
        assert lowest, f"each of these rooms waits for another one: {sorted(left)}"
        left = {room: below for room, below in left.items() if room not in lowest}


def test_imports_are_found_wherever_they_hide() -> None:
    source = (
        "import raypipe.audio.read as r\n"
        "from .. import plan\n"
        "from ..results.report import RunReport\n"
        "def f():\n"
        "    from raypipe import enhance\n"
        "    from . import inline\n"
    )
    found = [name for _, name in imported(ast.parse(source), "raypipe.execution")]
    assert sorted(found) == [
        "raypipe.audio.read",
        "raypipe.enhance",
        "raypipe.execution.inline",
        "raypipe.plan",
        "raypipe.results.report.RunReport",
    ]
    assert [inner(name) for name in sorted(found)] == [
        "audio", FACE, "execution", "plan", "results",
    ]  # fmt: skip
    assert inner("numpy.typing") is None
