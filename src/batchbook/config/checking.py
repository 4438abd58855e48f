"""Checked settings: what every model of settings shares, and its complaints as findings with their places."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from batchbook.config.durations import FORM, parse_duration
from batchbook.config.layers import Layers, dotted
from batchbook.config.suggest import did_you_mean
from batchbook.config.yamlfile import KeyPath
from batchbook.errors import Finding

S = TypeVar("S", bound="Settings")


class Settings(BaseModel):
    """Base of all settings: frozen, no unknown keys, no conversions: a quoted number is not a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=True)


def _duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(f"must be {FORM}")
    return parse_duration(value)


def _listed(value: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        raise ValueError("must be a list of texts, such as [one, two]")
    doubled = sorted({str(item) for item in value if list(value).count(item) > 1})
    if doubled:
        raise ValueError(f"names {', '.join(doubled)} more than once")
    return tuple(value)


Text = Annotated[str, Field(min_length=1, description="text, not empty")]
Duration = Annotated[timedelta, BeforeValidator(_duration), Field(description=FORM)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_listed), Field(description="a list of texts")]


def check(model: type[S], layers: Layers) -> tuple[S | None, list[Finding]]:
    """The layers as checked settings, or all that is wrong with them."""
    try:
        return model.model_validate(layers.data), []
    except ValidationError as error:
        return None, findings_of(error, model, layers)


def findings_of(error: ValidationError, model: type[BaseModel], layers: Layers, above: KeyPath = ()) -> list[Finding]:
    """What a model says is wrong, as findings; ``above`` is where the model's settings stand in the whole."""
    found = [_finding(detail, model, layers, above) for detail in error.errors()]
    return sorted(found, key=lambda one: (one.file or "", one.line or 0))


def finding_at(layers: Layers, path: KeyPath, message: str, value: object = None, *, of_key: bool = False) -> Finding:
    """A finding about the value (or the key) at a path."""
    origin = layers.origin(path, of_key=of_key)
    place = (origin.source, origin.line) if origin else (None, None)
    return Finding(message, file=place[0], line=place[1], value=value)


def known_keys(model: type[BaseModel]) -> list[str]:
    """The keys a model's settings can have."""
    return [info.alias or name for name, info in model.model_fields.items()]


def field_at(model: type[BaseModel], path: KeyPath) -> FieldInfo | None:
    """The field that a path leads to; for a path into a list or mapping, the field that holds it."""
    found: FieldInfo | None = None
    inside: type[BaseModel] | None = model
    for part in path:
        if inside is None:
            return found
        found = inside.model_fields.get(str(part))
        if found is None:
            return None
        inside = _model_in(found.annotation)
    return found


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)


def _finding(detail: ErrorDetails, model: type[BaseModel], layers: Layers, above: KeyPath) -> Finding:
    inner: KeyPath = tuple(part for part in detail["loc"] if part != "[key]")
    path = (*above, *inner)
    kind = detail["type"]
    name = dotted(path) or "the file"
    if kind == "extra_forbidden":
        parent = field_at(model, inner[:-1]) if len(inner) > 1 else None
        holder = _model_in(parent.annotation) if parent else model
        known = known_keys(holder or model)
        message = f"{name} is not known{did_you_mean(inner[-1], known)} (known here: {', '.join(sorted(known))})"
        return finding_at(layers, path, message, of_key=True)
    if kind == "missing":
        return finding_at(layers, path[:-1], f"{name} is missing{_allowed(field_at(model, inner))}")
    found = detail["input"]
    value = None if isinstance(found, (dict, list, tuple, BaseModel)) else found
    message = f"{name} {_said(detail, model, inner)}"
    if found is None:
        message += ", not empty"
    return finding_at(layers, path, message, value)


def _said(detail: ErrorDetails, model: type[BaseModel], path: KeyPath) -> str:
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    field = field_at(model, path)
    described = field.description if field and field.description else None
    if detail["type"] == "literal_error" and field:
        choices = literal_values(field.annotation)
        return f"must be one of {', '.join(choices)}{did_you_mean(detail['input'], choices)}"
    if detail["type"] in ("string_type", "string_too_short"):
        quote = isinstance(detail["input"], (bool, int, float))
        expected = described if described and not _in_list(path) else "text, not empty"
        return f"must be {expected}" + ("; put it in quotes" if quote else "")
    if detail["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return "must be a mapping of keys to values"
    if described:
        return f"must be {described}"
    return detail["msg"][:1].lower() + detail["msg"][1:]


def _in_list(path: KeyPath) -> bool:
    return bool(path) and isinstance(path[-1], int)


def literal_values(annotation: Any) -> list[str]:
    """The texts a field of given choices allows, however deep they stand in its type."""
    found: list[str] = []
    for part in get_args(annotation):
        found += [part] if isinstance(part, str) else literal_values(part)
    return found


def _allowed(field: FieldInfo | None) -> str:
    return f": {field.description}" if field and field.description else ""
