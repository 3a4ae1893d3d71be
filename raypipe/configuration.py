"""Where settings come from: the words of a file, the environment and the flags.

Comes in from four places, the later winning: the defaults of `RunSettings`, a TOML file
(``--config``), the environment (``RAYPIPE_WORKERS=4``), the flags or keyword arguments.
Goes out: `RunSettings`, or one sentence about what cannot be read or meant.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from raypipe.errors import UsageError
from raypipe.settings import RunSettings, check_raw
from raypipe.types import RawLayout

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ENVIRONMENT_PREFIX = "RAYPIPE_"


def make_settings(
    flags: Mapping[str, Any] | None = None,
    *,
    config: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> RunSettings:
    """Settings from defaults < TOML file < environment < flags.

    Parameters
    ----------
    flags : mapping, optional
        By field name; a value of None means that the flag was not given.
    config : path, optional
        TOML file whose top-level keys are field names (dashes allowed).
    environment : mapping, optional
        Searched for ``RAYPIPE_<FIELD>``; the process's own by default.

    Raises
    ------
    UsageError
        If a name is not known or a value cannot be read or meant.
    """
    values: dict[str, Any] = {}
    if config is not None:
        values.update(_from_toml(Path(config)))
    values.update(_from_environment(os.environ if environment is None else environment))
    for name, value in (flags or {}).items():
        if value is not None:
            values[_field_name(name, "argument")] = value
    return replace(RunSettings(), **{k: _value(k, v) for k, v in values.items()})


_KINDS = {f.name: str(f.type) for f in fields(RunSettings)}


def _field_name(name: str, where: str) -> str:
    plain = name.replace("-", "_")
    alias = {"rate": "rate_hz", "timeout": "timeout_s", "segment": "segment_s",
             "worker_memory": "worker_memory_gb", "atten_limit": "atten_limit_db"}  # fmt: skip
    plain = alias.get(plain, plain)
    if plain not in _KINDS:
        raise UsageError(f"{where} {name!r} is not a setting; known: {', '.join(sorted(_KINDS))}")
    return plain


def _from_toml(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is not TOML: {error}") from error
    return {_field_name(name, f"{path}: key"): value for name, value in table.items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for field_name in _KINDS:
        short = re.sub(r"_(s|hz|gb|db)$", "", field_name)
        for name in (short, field_name):
            text = environment.get(ENVIRONMENT_PREFIX + name.upper())
            if text is not None:
                found[field_name] = text
    return found


def _value(name: str, value: Any) -> Any:
    """Turn what TOML, the environment or a flag gave into the field's own type."""
    kind = _KINDS[name]
    if kind == "RawLayout | None":
        return _raw_value(value)
    if kind.startswith("tuple"):
        return (value,) if isinstance(value, str) else tuple(str(v) for v in value)
    # An address of auto is the Ray that is there; nobody chooses a limit for the user.
    unsaid = ("none", "") if name in ("address", "atten_limit_db") else ("auto", "none", "")
    if kind.endswith("| None") and isinstance(value, str) and value.lower() in unsaid:
        return None
    try:
        if kind == "bool":
            return _truth(value)
        if kind.startswith("int"):
            return _whole(value)
        if kind.startswith("float"):
            return float(value)
    except (TypeError, ValueError):
        unit = " of seconds" if name.endswith("_s") else ""
        words = "none or a number of dB" if name.endswith("_db") else _WORDS[kind] + unit
        raise UsageError(f"{name} must be {words}, not {value!r}") from None
    return str(value)


_WORDS = {
    "bool": "true or false",
    "int | None": "auto or a whole number",
    "float | None": "auto or a number",
    "float": "a number",
}


def _raw_value(value: Any) -> RawLayout | None:
    if value is None or isinstance(value, RawLayout):
        return value
    if isinstance(value, Mapping):
        value = ",".join(f"{key}={part}" for key, part in value.items())
    return parse_raw(str(value))


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    try:
        return words[str(value).lower()]
    except KeyError:
        raise ValueError(value) from None


def _whole(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError(value)
    return int(value)


def parse_raw(text: str) -> RawLayout:
    """Read ``rate=48000,channels=1,sample=s16le``; `UsageError` where it cannot be read."""
    known = {"rate", "channels", "sample"}
    parts: dict[str, str] = {}
    for part in text.split(","):
        key, sign, value = part.strip().partition("=")
        if not sign or key not in known or not value:
            raise UsageError(
                f"raw layout {text!r} cannot be read at {part!r}; "
                "wanted rate=48000,channels=1,sample=s16le"
            )
        parts[key] = value
    if "rate" not in parts:
        raise UsageError(f"raw layout {text!r} names no rate; wanted rate=48000,channels=1,...")
    try:
        raw = RawLayout(
            int(parts["rate"]), int(parts.get("channels", "1")), parts.get("sample", "s16le")
        )
    except ValueError:
        raise UsageError(f"raw layout {text!r}: rate and channels must be whole numbers") from None
    return check_raw(raw)
