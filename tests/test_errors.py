from __future__ import annotations

import inspect
import pickle
import re

import pytest

from raypipe import errors
from raypipe.errors import AudioError, RaypipeError

CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and value.__module__ == errors.__name__
]

EXIT_CODES = {
    "RaypipeError": 1,
    "UsageError": 2,
    "StorageError": 3,
    "OutputBusy": 3,
    "ModelError": 4,
    "ClusterError": 5,
    "AudioError": 1,
    "UnreadableAudio": 1,
    "TruncatedAudio": 1,
    "UnsupportedAudio": 1,
    "TooManyFailures": 1,
}


def make(cls: type[RaypipeError]) -> RaypipeError:
    if issubclass(cls, AudioError):
        return cls("dir/a\nb.wav", "holds no sound; at least one sample is needed")
    return cls("no such folder: 'somewhere'")


def tree_in_docstring() -> list[tuple[int, str]]:
    """Depth and name of each class, in the order of the drawing."""
    lines = (errors.__doc__ or "").splitlines()
    drawn = [re.match(r"    ((?:│   |    )*)(?:[├└]── )?(\w+)", line) for line in lines]
    return [
        ((match.start(2) - 4) // 4, match[2]) for match in drawn if match and match[2] in EXIT_CODES
    ]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_an_error_survives_a_process_border(cls: type[RaypipeError]) -> None:
    error = make(cls)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        back = pickle.loads(pickle.dumps(error, protocol))
        assert type(back) is cls
        assert back.args == error.args
        assert str(back) == str(error)
        assert vars(back) == vars(error)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_an_error_knows_its_exit_code(cls: type[RaypipeError]) -> None:
    assert issubclass(cls, RaypipeError)
    assert cls.exit_code == EXIT_CODES[cls.__name__]


def test_all_errors_are_public() -> None:
    assert sorted(errors.__all__) == sorted(cls.__name__ for cls in CLASSES) == sorted(EXIT_CODES)


def test_the_drawing_shows_the_tree_as_it_is() -> None:
    drawn = tree_in_docstring()
    assert sorted(name for _, name in drawn) == sorted(EXIT_CODES)
    above: list[str] = []
    for depth, name in drawn:
        del above[depth:]
        cls = getattr(errors, name)
        assert [base.__name__ for base in cls.__bases__] == (above[-1:] or ["Exception"])
        above.append(name)


def test_the_drawing_says_the_exit_codes() -> None:
    for name, code in re.findall(r"(\w+) +exit (\d+)", errors.__doc__ or ""):
        assert getattr(errors, name).exit_code == int(code)


def test_an_audio_error_names_the_file_and_the_reason() -> None:
    error = AudioError("music/a.wav", "has no channel")
    assert (error.path, error.reason) == ("music/a.wav", "has no channel")
    assert str(error) == "music/a.wav: has no channel"
