"""Options that do not fit are named by their place, with what was probably meant."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from batchbook.batch.misfits import misfits


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    url: str = ""
    password: str = ""
    rate: int = 1

    @model_validator(mode="after")
    def _needs_url(self) -> Inner:
        if self.password and not self.url:
            raise ValueError("has a password without an address")
        return self


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    osv: Annotated[Inner | None, BeforeValidator(lambda value: value)] = None
    sources: list[Inner] = []
    aliased: int = Field(default=0, alias="as-written")


def said(options: dict[str, Any]) -> list[str]:
    with pytest.raises(ValidationError) as raised:
        Outer.model_validate(options)
    return [str(one) for one in misfits(Outer, raised.value, "job.yaml")]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"osvv": {}}, "options.osvv: is not known; did you mean 'osv'? known: as-written, osv, sources"),
        ({"osv": {"ulr": "x"}}, "options.osv.ulr: is not known; did you mean 'url'? known: password, rate, url"),
        ({"sources": [{}, {"ulr": 1}]}, "options.sources[2].ulr: is not known; did you mean 'url'? known: password,"),
        ({"as_writen": 1}, "options.as_writen: is not known; did you mean 'as-written'? known:"),
        ({"zzz": 1}, "options.zzz: is not known; known: as-written, osv, sources"),
        ({"osv": {"rate": "many"}}, "options.osv.rate: Input should be a valid integer"),
        ({"osv": {"password": "secret"}}, "options.osv: has a password without an address"),
    ],
)
def test_what_does_not_fit_is_named_with_what_was_probably_meant(options: dict[str, Any], told: str) -> None:
    (found,) = said(options)
    assert told in found
    assert "Value error" not in found
    assert "secret" not in found, "a group of options may hold a password"


def test_a_value_that_is_wrong_is_shown_and_one_of_a_name_that_is_unknown_is_not() -> None:
    assert "many" in said({"osv": {"rate": "many"}})[0]
    assert "hunter2" not in said({"osv": {"pasword": "hunter2"}})[0]
