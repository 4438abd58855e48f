"""Environment variables over the files: ``BATCHBOOK_BATCH__SIZE=20`` stands for ``batch.size: 20``.

The name after ``BATCHBOOK_`` is the key in capitals, with two underscores for each step down. It can be a key of a job
file or of the base configuration (their keys differ). Where the setting is a text, the value is taken as it stands;
else it is read as YAML, so ``5`` is a number, ``true`` a truth value and ``[a, b]`` a list. Names below ``columns``,
``options`` and ``workbooks`` match what the files have whatever their case, and are in lower case otherwise.
A name that is no setting is an error, except secrets: ``BATCHBOOK_SECRET_...`` and the
names in `hiding.OTHER_SECRETS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from batchbook.config.checking import field_at, known_keys
from batchbook.config.layers import Layers
from batchbook.config.suggest import did_you_mean
from batchbook.config.yamlfile import parse_yaml
from batchbook.errors import ConfigurationError, Finding
from batchbook.hiding import is_secret

PREFIX = "BATCHBOOK_"


def lay_environment(layers: Layers, model: type[BaseModel], environ: Mapping[str, str]) -> list[Finding]:
    """Lay the variables that are settings of this model over the files; what cannot be read comes back as findings."""
    findings = []
    for name in sorted(_settings(environ)):
        path = _path(name)
        if path[0] not in known_keys(model):
            continue
        path = _as_in_files(path, layers.data)
        try:
            layers.set(path, _value(environ[name], model, path), f"environment variable {name}")
        except (ConfigurationError, ValueError) as error:
            said = error.findings[0].message if isinstance(error, ConfigurationError) and error.findings else "no text"
            findings.append(
                Finding(f"cannot be read as YAML: {said}", file=f"environment variable {name}", value=environ[name])
            )
    return findings


def unknown_names(models: tuple[type[BaseModel], ...], environ: Mapping[str, str]) -> list[Finding]:
    """The variables that begin like settings and are none of these models'."""
    known = [key for model in models for key in known_keys(model)]
    return [
        Finding(f"is no setting{_nearest_name(name, known)}", file=f"environment variable {name}")
        for name in sorted(_settings(environ))
        if _path(name)[0] not in known or not all(_path(name))
    ]


def _settings(environ: Mapping[str, str]) -> list[str]:
    return [name for name in environ if name.startswith(PREFIX) and not is_secret(name)]


def _path(name: str) -> tuple[str, ...]:
    return tuple(name.removeprefix(PREFIX).lower().split("__"))


def _nearest_name(name: str, known: list[str]) -> str:
    first, *deeper = _path(name)
    hint = did_you_mean(first, known)
    if not hint:
        return "; its settings are BATCHBOOK_ and a key of a job file or of the base configuration"
    meant = hint.split("'")[1]
    return f"; did you mean {PREFIX + '__'.join([meant, *deeper]).upper()}?"


def _as_in_files(path: tuple[str, ...], data: Any) -> tuple[str, ...]:
    found: list[str] = []
    for part in path:
        keys = [key for key in data if key.lower() == part] if isinstance(data, Mapping) else []
        found.append(keys[0] if keys else part)
        data = data[keys[0]] if keys else None
    return tuple(found)


def _value(text: str, model: type[BaseModel], path: tuple[str, ...]) -> Any:
    field = field_at(model, path)
    if field is not None and _is_text(field.annotation):
        return text
    # As a file is read: plain values only, no key twice, no aliases that make a short text huge.
    return parse_yaml(text.encode(), Path("the value")).data


def _is_text(annotation: Any) -> bool:
    """Whether a setting is a text (or none): then what looks like a number in the environment is a text too."""
    if get_origin(annotation) is Annotated:
        return _is_text(get_args(annotation)[0])
    parts = [part for part in get_args(annotation) if part is not NoneType]
    return annotation is str or (get_origin(annotation) in (Union, UnionType) and all(map(_is_text, parts)))
