"""The options of the package review's job."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from batchbook.packages.names import read_version
from batchbook.packages.wording import quoted

_RATE = re.compile(r"[1-9]\d{0,5}\s*/\s*([1-9]\d{0,3})?\s*[smh]", re.ASCII)
_IN_REPORTS = ("{job}", "{date}", "{run}")
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


def _not_null(filled: str) -> BeforeValidator:
    """A key without a value is no way to say "off": who wrote it meant something."""

    def checked(value: Any) -> Any:
        if value is None:
            raise ValueError(f"has no value: write {filled}, or leave the line out")
        return value

    return BeforeValidator(checked)


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


def _is_server(value: str) -> str:
    value = value.strip()
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address begins with https:// or http:// and names a host")
    if parts.username or parts.password:
        raise ValueError("an address holds no credentials; give them by ${NAME} from the environment")
    if parts.query or parts.fragment:
        raise ValueError("an address ends with its path")
    return value


def _is_rate(value: str) -> str:
    if not _RATE.fullmatch(value.strip()):
        raise ValueError("must be a rate such as 100/s, 50/30s or 10/m")
    return value.strip()


def _report_path(value: str) -> str:
    strange = [found for found in _PLACEHOLDER.findall(value) if found not in _IN_REPORTS]
    if strange:
        raise ValueError(f"{strange[0]} is not known in the name of a report; known: {', '.join(_IN_REPORTS)}")
    if not value.lower().endswith(".xlsx"):
        raise ValueError("a report is a workbook: its name ends in .xlsx")
    return value


class ReportOptions(_Options):
    """The report workbook that each run leaves."""

    to: Annotated[str, Field(min_length=6), AfterValidator(_report_path)]
    """Its path; relative ones count from the base folder. ``{job}``, ``{date}`` and ``{run}`` stand for the run's."""
    changes_only: bool = False


def _is_header_value(value: str) -> str:
    value = value.strip()  # a secret read from a file often ends with a line break
    if not value:
        raise ValueError("is blank")
    if not (value.isascii() and value.isprintable()):
        raise ValueError("holds what cannot be sent: a line break, a control character or a letter beyond ASCII")
    return value


Server = Annotated[str, AfterValidator(_is_server)]
RateText = Annotated[str, AfterValidator(_is_rate)]


class NetworkOptions(_Options):
    """The manners with which servers are asked; they hold for all sources together, rates for each host."""

    concurrency: int = Field(default=5, ge=1, le=50)
    """Requests at once."""
    timeout: float = Field(default=30, gt=0, le=600)
    """Seconds that one request may take as a whole."""
    tries: int = Field(default=4, ge=1, le=10)
    longest_wait: float = Field(default=60, ge=0, le=3600)
    """Seconds that a server may ask for by Retry-After; one that asks for more is left alone for that time."""
    cache_days: int = Field(default=30, ge=1, le=3650)
    """Stored answers that nobody used for so many days are dropped."""
    max_answer_mib: int = Field(default=64, ge=1, le=1024)


class IndexOptions(_Options):
    """The package index, which speaks the simple repository API; a blank address is the client library's default."""

    url: Server | None = None
    name: str = Field(default="package index", min_length=1)
    username: str = ""
    password: str = ""
    rate: RateText = "100/s"

    @model_validator(mode="after")
    def _both_or_none(self) -> IndexOptions:
        for given, other in (("username", "password"), ("password", "username")):
            if getattr(self, given) and other not in self.model_fields_set:
                raise ValueError(f'has a {given} without a {other}; where the index takes none, write `{other}: ""`')
        return self


class OsvOptions(_Options):
    """The OSV API."""

    url: Server
    name: str = Field(default="OSV", min_length=1)
    rate: RateText = "100/s"


class NvdOptions(_Options):
    """The NVD API 2.0 for CVEs; needs a key."""

    url: Server
    api_key: Annotated[str, AfterValidator(_is_header_value)]
    name: str = Field(default="NVD", min_length=1)
    rate: RateText = "50/30s"
    max_age_days: int = Field(default=7, ge=0, le=365)
    """A stored answer is good for so many days."""


class PackageReviewOptions(_Options):
    """Where the reference data lies, what it is called, and where links lead."""

    advisories: Annotated[list[SourceOptions], BeforeValidator(_as_sources)] = []
    """OSV records: a file or folder, or several; relative paths count from the base folder."""
    index: Annotated[IndexOptions | None, _not_null("`index: {}` for the defaults")] = None
    osv: Annotated[OsvOptions | None, _not_null("`osv: {url: ...}`")] = None
    nvd: Annotated[NvdOptions | None, _not_null("`nvd: {url: ..., api_key: ...}`")] = None
    network: NetworkOptions = NetworkOptions()
    advisories_name: str = ""
    """The name of the only source of advisories."""
    kev: Annotated[SourceOptions | None, BeforeValidator(_as_source), _not_null("`kev: FILE`")] = None
    """The CISA catalogue of known exploited vulnerabilities, JSON or CSV."""
    python: Annotated[str, BeforeValidator(_as_python)] = ""
    """The Python that packages have to run on, such as ``3.12`` or ``3.12.4``; blank for none."""
    links: LinkOptions = LinkOptions()
    report: Annotated[ReportOptions | None, _not_null("`report: {to: FILE.xlsx}`")] = None
    """The report workbook that each run leaves; None for none."""

    @model_validator(mode="after")
    def _some_advisories(self) -> PackageReviewOptions:
        if not self.advisories and self.osv is None:
            raise ValueError("names no source of advisories: give records in files by advisories:, or the API by osv:")
        return self
