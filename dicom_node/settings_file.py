"""From a TOML file, overridable by ``LIKENESS_*``, to the settings; every fault told at once."""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dicom_node.settings import EncoderSettings, Section, Settings
from encoders.folders.naming import absolute

ENVIRONMENT_PREFIX = "LIKENESS_"
SETTINGS_VARIABLE = "LIKENESS_SETTINGS"
SETTINGS_PLACES = (Path("likeness.toml"), Path("/etc/likeness/likeness.toml"))


class SettingsError(Exception):
    """The settings cannot be used; the message lists every fault, a line each."""


def load_settings(
    path: Path | None = None, environment: Mapping[str, str] = os.environ
) -> Settings:
    """Reads the settings file, then what the environment overrides.

    Without ``path``, the file is the one that ``LIKENESS_SETTINGS`` names, else ``likeness.toml``
    here, else ``/etc/likeness/likeness.toml``, else none: every key has a default.

    Raises:
        SettingsError: the file cannot be read, or keys or values are wrong; all are listed.
    """
    path = path or _default_path(environment)
    values = _read_toml(path) if path is not None else {}
    faults = list(_override(values, environment))
    folder = path.parent if path is not None else Path()
    try:
        settings = Settings.model_validate(values)
    except ValidationError as fault:
        faults += [_in_words(entry) for entry in fault.errors()]
    if faults:
        where = f"settings in {path}" if path is not None else "settings"
        raise SettingsError(f"{where}:\n" + "\n".join(f"  {line}" for line in faults))
    return _with_absolute_paths(settings, folder.absolute())


def _default_path(environment: Mapping[str, str]) -> Path | None:
    if named := environment.get(SETTINGS_VARIABLE):
        return Path(named)
    return next((place for place in SETTINGS_PLACES if place.is_file()), None)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise SettingsError(f"settings file {path} cannot be read: {fault.strerror}") from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise SettingsError(f"settings file {path} is not valid TOML: {fault}") from fault


def _override(values: dict[str, Any], environment: Mapping[str, str]) -> Iterator[str]:
    """Lays the environment over ``values``; yields a fault for each variable that is no key."""
    keys = dict(environment_keys())
    for variable, value in sorted(environment.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == SETTINGS_VARIABLE:
            continue
        if variable not in keys:
            yield f"{variable}: no such setting{_near(variable, keys)}"
            continue
        *section, key = keys[variable]
        target = values.setdefault(section[0], {}) if section else values
        if isinstance(target, dict):  # else the file has no table there, which is told as a fault
            target[key] = value


def environment_keys() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each variable that overrides a key, with the key's path: peers are set in the file only."""
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            for key in field.annotation.model_fields:
                yield f"{ENVIRONMENT_PREFIX}{name}_{key}".upper(), (name, key)
        elif name != "peers":
            yield f"{ENVIRONMENT_PREFIX}{name}".upper(), (name,)


def _in_words(entry: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in entry["loc"])
    if entry["type"] == "extra_forbidden":
        return f"{key}: no such setting{_near(key, _all_keys())}"
    message = entry["msg"].removeprefix("Value error, ")
    return f"{key}: {message}" if key else message


def _all_keys() -> list[str]:
    return [".".join(path) for _, path in environment_keys()]


def _near(word: str, known: Mapping[str, object] | list[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _with_absolute_paths(settings: Settings, folder: Path) -> Settings:
    return settings.model_copy(
        update={
            "data_folder": folder / settings.data_folder.expanduser(),
            "encoder": _encoder(settings.encoder, folder),
            "http": _absolute(settings.http, folder),
            "tls": _absolute(settings.tls, folder),
        }
    )


def _encoder(section: EncoderSettings, folder: Path) -> Section:
    """The name of an encoder folder is a path too."""
    named = {"name": absolute(section.name, folder)}
    return _absolute(section, folder).model_copy(update=named)


def _absolute(section: Section, folder: Path) -> Section:
    paths = {
        name: folder / value.expanduser() for name, value in section if isinstance(value, Path)
    }
    return section.model_copy(update=paths)
