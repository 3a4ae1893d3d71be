"""Getting published models that are not part of raypipe: ``raypipe models pull dtln``.

Comes in: a known model's name, and perhaps a folder with its published files. Goes out:
raypipe's own ``.tflite`` files of it, in the user's folder of models. TensorFlow is not
needed: the package holds the graph without its weights (``shipped/dtln.skeleton``, a
``.tflite`` whose weight tensors have names and no data), and these are filled in. Files
appear whole or not at all::

    RAYPIPE_MODELS, or the system's place for a user's data:
      dtln.tflite          float32 weights, card inside
      dtln-int8.tflite     int8 weights where the sound bears them
"""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from raypipe.errors import ModelError, StorageError

SKELETON = Path(__file__).parent / "shipped" / "dtln.skeleton"

FOLDER_VARIABLE = "RAYPIPE_MODELS"
TIMEOUT_S = 30.0
"""Without a byte arriving, before a download is given up."""


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file of a model as its authors publish it."""

    name: str
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Published:
    """A model that can be pulled."""

    url: str
    """Where its files lie; ends with a slash."""
    files: tuple[PublishedFile, ...]
    makes: tuple[str, ...]
    """Names of the models that are made of it."""


PUBLISHED = {
    "dtln": Published(
        "https://raw.githubusercontent.com/breizhn/DTLN/"
        "1de1f15a8b5b7e1c44905618ff2ef70ca8277fbc/pretrained_model/",
        (
            PublishedFile(
                "model_1.tflite",
                1_459_944,
                "91281a38e80fe9fd330e28eda7e16fe4e483ee5199a3e687a099939013c25de0",
            ),
            PublishedFile(
                "model_2.tflite",
                2_515_804,
                "7ae37ec802862d8a65b5cdabfbcbbe22caaf7cd39e79adf574d15837d1520830",
            ),
        ),
        ("dtln", "dtln-int8"),
    )
}
"""What can be pulled, by name."""


def models_folder() -> Path:
    """Where pulled models are kept: ``RAYPIPE_MODELS``, or the system's place for a user's data."""
    told = os.environ.get(FOLDER_VARIABLE)
    if told:
        return Path(told).expanduser().absolute()
    if sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        root = Path.home() / "Library" / "Application Support"
    else:
        root = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return root / "raypipe" / "models"


def name_to_pull(model: str) -> str | None:
    """Under which name a model can be pulled, or None: ``dtln`` for ``dtln-int8``."""
    return next((name for name, found in PUBLISHED.items() if model in found.makes), None)


def pull(model: str, source: Path | None = None) -> list[Path]:
    """Make a published model ready for use.

    Parameters
    ----------
    model : str
        Its name, or that of one of its variants.
    source : Path, optional
        Folder that holds its published files; without it they are downloaded.

    Returns
    -------
    list of Path
        What was written, in place of what was there.

    Raises
    ------
    ModelError
        If no such model can be pulled, or its files cannot be got or are not the published ones.
    StorageError
        If the folder of models cannot be written to.
    """
    # Every worker loads this module to find models; only a pull makes them.
    from raypipe.inference import dtln
    from raypipe.inference.dtln_weights import prepare, read_trained

    name = name_to_pull(model)
    if name is None:
        known = ", ".join(made for found in PUBLISHED.values() for made in found.makes)
        raise ModelError(f"no model '{model}' can be pulled; known are {known}")
    published = PUBLISHED[name]
    contents = {file.name: _content(published, file, source) for file in published.files}
    made = dtln.build(SKELETON.read_bytes(), prepare(read_trained(contents)))
    return [_publish(models_folder(), f"{n}.tflite", content) for n, content in made.items()]


def _content(published: Published, file: PublishedFile, source: Path | None) -> bytes:
    if source is None:
        where = published.url + file.name
        content = _download(where, file.size)
    else:
        where = str(source / file.name)
        try:
            content = (source / file.name).read_bytes()
        except OSError as error:
            raise ModelError(f"{where}: cannot be read: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise ModelError(
            f"{where}: is not the published file: found {len(content)} bytes with the sha256 "
            f"{found}, wanted {file.size} with {file.sha256}"
        )
    return content


def _download(url: str, size: int) -> bytes:
    """At most `size` bytes and one, which tells that there are more."""
    # Takes 0.1 s to load, and only this needs it.
    from http.client import HTTPException
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - from PUBLISHED, https
            return bytes(answer.read(size + 1))
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise ModelError(
            f"{url}: cannot be downloaded: {reason}; where there is no network, give a folder "
            "with the published files (--from DIR)"
        ) from error


def _publish(folder: Path, name: str, content: bytes) -> Path:
    unfinished = folder / f".{name}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with open(unfinished, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, folder / name)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{folder / name}: cannot be written: {error.strerror}") from error
    return folder / name
