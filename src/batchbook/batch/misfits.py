"""What does not fit in the options of a processor, in words: the place, what is wrong, and what was probably meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from batchbook.config import did_you_mean
from batchbook.errors import Finding

_OURS = "Value error, "
"""What pydantic puts before the words of a validator."""


def misfits(model: type[BaseModel], error: ValidationError, file: str) -> list[Finding]:
    """One finding for each place in the options; values are shown only where they are single ones."""
    found = []
    for one in error.errors():
        place, value = one["loc"], one.get("input")
        if one["type"] == "extra_forbidden":
            said, value = _unknown(model, place), None
        else:
            said = one["msg"].removeprefix(_OURS)
        # What holds several values may hold a password beside what is wrong.
        single = value if isinstance(value, str | int | float | bool) else None
        found.append(Finding(f"options{_dotted(place)}: {said}", file, value=single))
    return found


def _dotted(place: Sequence[str | int]) -> str:
    """A place as the job file has it; lists count from 1, as in the other messages."""
    return "".join(f"[{one + 1}]" if isinstance(one, int) else f".{one}" for one in place)


def _unknown(model: type[BaseModel], place: Sequence[str | int]) -> str:
    known = sorted({name for one in _models_at(model, place[:-1]) for name in _names(one)})
    near = did_you_mean(str(place[-1]), known)
    listed = f"{'' if near else ';'} known: {', '.join(known)}" if known else ""
    return f"is not known{near}{listed}"


def _names(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name


def _models_at(model: type[BaseModel], place: Sequence[str | int]) -> list[type[BaseModel]]:
    """The models that the options at a place may be of."""
    models = [model]
    for part in place:
        if isinstance(part, int):  # of a list: its field named what it is a list of
            continue
        fields = [field for one in models for name, field in one.model_fields.items() if part in (name, field.alias)]
        models = [kind for field in fields for kind in _models_in(field.annotation)]
    return models


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
