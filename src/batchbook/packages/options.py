"""The options of the package review's job."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from batchbook.packages.names import read_version
from batchbook.packages.wording import quoted

_PLACEHOLDER = re.compile(r"\{[^}]*\}?")


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceOptions(_Options):
    """A file or folder with reference data; its name and date, where neither a sidecar nor the content says them."""

    path: str = Field(min_length=1)
    name: str = ""
    date: dt.date | None = None


def _as_source(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


def _as_sources(value: Any) -> Any:
    return [_as_source(one) for one in (value if isinstance(value, list) else [value])]


def _template(*placeholders: str) -> AfterValidator:
    def checked(value: str) -> str:
        value = value.strip()
        if value and not value.startswith(("https://", "http://")):
            raise ValueError("a link begins with https:// or http://")
        strange = [found for found in _PLACEHOLDER.findall(value) if found not in placeholders]
        if strange:
            raise ValueError(f"{strange[0]} is not known in a link; known: {', '.join(placeholders)}")
        return value

    return AfterValidator(checked)


def _as_python(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError('is a number: write it in quotes, as in "3.10", for 3.10 as a number is 3.1')
    if isinstance(value, str) and value.strip():
        version = read_version(value)
        if version is None or version.is_prerelease or version.local or not 2 <= version.major < 100:
            raise ValueError(f'{quoted(value)} is no version of Python such as "3.12"')
        return str(version)
    return value.strip() if isinstance(value, str) else value


PackageLink = Annotated[str, _template("{name}")]
AdvisoryLink = Annotated[str, _template("{id}")]


class LinkOptions(_Options):
    """What links begin with, `{name}` standing for the package; the cells of a blank one are left alone."""

    package_index: PackageLink = ""
    github_advisories: PackageLink = ""
    nvd: PackageLink = ""
    mitre_cve: PackageLink = ""
    snyk: PackageLink = ""
    exploit_db: PackageLink = ""
    advisory: dict[str, AdvisoryLink] = {}
    """Links of single advisories by the beginning of their id; `{id}` stands for the id."""


class PackageReviewOptions(_Options):
    """Where the reference data lies, what it is called, and where links lead."""

    advisories: Annotated[list[SourceOptions], BeforeValidator(_as_sources), Field(min_length=1)]
    """OSV records: a file or folder, or several; relative paths count from the base folder."""
    advisories_name: str = ""
    """The name of the only source of advisories."""
    kev: Annotated[SourceOptions, BeforeValidator(_as_source)] | None = None
    """The CISA catalogue of known exploited vulnerabilities, JSON or CSV."""
    python: Annotated[str, BeforeValidator(_as_python)] = ""
    """The Python that packages have to run on, such as ``3.12`` or ``3.12.4``; blank for none."""
    links: LinkOptions = LinkOptions()
