"""The package index by the simple repository API: releases of a project, and the metadata of one.

Pages are read by pypi-simple, as JSON (PEP 691, 700) or, from an index that has no other form, as HTML (PEP 503).
What an index does not give (times of upload, metadata files) stays unknown.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from urllib.parse import urlsplit

from packaging.metadata import RawMetadata, parse_email
from packaging.utils import canonicalize_name
from packaging.version import Version
from pydantic import ValidationError
from pypi_simple import (
    ACCEPT_JSON_PREFERRED,
    PYPI_SIMPLE_ENDPOINT,
    DistributionPackage,
    ProjectPage,
    UnsupportedRepoVersionError,
)

from batchbook.packages.names import read_version
from batchbook.packages.online.endpoint import Answer, Endpoint, Reading
from batchbook.packages.releases import Listing, Metadata, Project, Release
from batchbook.packages.sources import SourceUnreachable
from batchbook.packages.wording import MOST_QUOTED, quoted, shorten

_JSON = "application/vnd.pypi.simple."
_HTML = ("text/html", "application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.latest+html")
_STATUS = "Development Status :: "
_CODE_LABELS = ("source", "sourcecode", "repository", "github", "code", "homepage", "home")
"""Labels of project links that mean the code, the surest first (see the well-known labels of core metadata)."""


def default_index() -> str:
    """The index that the client library asks when it is told none."""
    return PYPI_SIMPLE_ENDPOINT


class SimpleIndex:
    """A package index; the metadata of a release is that of its first wheel that has a metadata file."""

    reference_date = ""

    def __init__(self, endpoint: Endpoint, url: str, name: str) -> None:
        """`url` is the address of the list of projects, such as ``https://example.org/simple/``."""
        self.name = name
        self._endpoint = endpoint
        self._url = url.rstrip("/") + "/"

    def lookup(self, name: str) -> Listing:
        """A project by its normalised name; SourceUnreachable or NotAsked where nobody could be asked."""
        page = Reading(lambda given: _page(given, name))
        answer = self._endpoint.get(f"{self._url}{name}/", accept=ACCEPT_JSON_PREFERRED, check=page)
        if answer.status == 404:
            return Listing(None, answer.date)
        return Listing(_project(page.of(answer), name), answer.date)

    def metadata(self, release: Release) -> Metadata | None:
        """The metadata of a release; None where the index offers none."""
        if not release.metadata:
            return None
        address, _, digest = release.metadata.partition("#sha256=")
        key = f"metadata {digest or address}"
        said = Reading(lambda given: _metadata(given, digest, release.version))
        answer = self._endpoint.get(address, keep=key, check=said)
        if answer.status == 404:
            raise SourceUnreachable("it does not have the metadata file that it lists")
        return said.of(answer)


# --- pages -----------------------------------------------------------------------------------------------------


def _page(answer: Answer, name: str) -> ProjectPage:
    """The page of a project; SourceUnreachable where the answer is none."""
    try:
        if answer.content_type.startswith(_JSON) or answer.content_type == "application/json":
            page = ProjectPage.from_json_data(json.loads(answer.body), base_url=answer.url)
        elif answer.content_type in _HTML:
            page = ProjectPage.from_html(name, answer.body, base_url=answer.url)
        else:
            raise SourceUnreachable(f"it answered with {answer.content_type or 'no content type'}, not with a page")
    except (ValueError, RecursionError, TypeError, UnsupportedRepoVersionError) as problem:
        raise SourceUnreachable(f"its page of the project cannot be read ({_short(problem)})") from None
    if canonicalize_name(page.project) != name:
        raise SourceUnreachable(f"it answered with the page of another project, {shorten(page.project, MOST_QUOTED)}")
    if answer.content_type in _HTML and _is_cut(answer.body.lower()):
        raise SourceUnreachable("its page of the project is not whole")
    if answer.content_type in _HTML and next(_versioned(page.packages, name), None) is None:
        # Any page is HTML: an error page, or that of a login, is not to be taken for a project without releases.
        raise SourceUnreachable("its page of the project lists no file of it")
    return page


def _is_cut(html: bytes) -> bool:
    """Whether a page in small letters begins what it does not end."""
    return any(b"<" + tag in html and b"</" + tag not in html for tag in (b"html", b"body"))


def _short(problem: Exception) -> str:
    if isinstance(problem, ValidationError):
        first = problem.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return shorten(f"{where}: {first['msg']}", MOST_QUOTED)
    return shorten(" ".join(str(problem).split()) or type(problem).__name__, MOST_QUOTED)


def _project(page: ProjectPage, name: str) -> Project:
    files = sorted(_versioned(page.packages, name), key=lambda one: one[0])
    releases = tuple(
        _release(version, [file for _, file in group]) for version, group in groupby(files, key=lambda one: one[0])
    )
    state = page.status.value if page.status is not None and page.status.value != "active" else ""
    return Project(name, releases, state, " ".join((page.status_reason or "").split()))


def _versioned(packages: Iterable[DistributionPackage], name: str) -> Iterator[tuple[Version, DistributionPackage]]:
    """The files whose version can be read; what else lies on a page (old installers, other projects) is no release."""
    for file in packages:
        version = read_version(file.version or "")
        if version is not None and canonicalize_name(file.project or name) == name:
            yield version, file


def _release(version: Version, files: Sequence[DistributionPackage]) -> Release:
    live = [file for file in files if not file.is_yanked]
    times = [_in_utc(file.upload_time) for file in files if file.upload_time is not None]
    reasons = dict.fromkeys(file.yanked_reason.strip() for file in files if file.yanked_reason)
    return Release(
        version=version,
        published=min(times).date() if times else None,
        yanked=not live,
        yanked_reason="; ".join(reason for reason in reasons if reason) if not live else "",
        requires_python=tuple(dict.fromkeys(file.requires_python or "" for file in live or files)),
        metadata=_metadata_place(live or files),
    )


def _in_utc(moment: dt.datetime) -> dt.datetime:
    """A time of upload in UTC; one without a zone is in it, as the standard has them."""
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _metadata_place(files: Sequence[DistributionPackage]) -> str:
    """The address of a metadata file, with its digest where one is given."""
    # Of wheels only: that of a source distribution may leave out what its build adds, such as what it requires.
    offered = [file for file in files if file.has_metadata and file.package_type == "wheel"]
    if not offered:
        return ""
    digest = (offered[0].metadata_digests or {}).get("sha256", "")
    address = offered[0].metadata_url
    if urlsplit(address).scheme not in ("http", "https"):
        return ""
    return f"{address}#sha256={digest}" if digest else address


# --- metadata --------------------------------------------------------------------------------------------------


def _metadata(answer: Answer, digest: str, version: Version) -> Metadata:
    """The metadata in an answer; SourceUnreachable where it is not what the page promised."""
    if digest and hashlib.sha256(answer.body).hexdigest() != digest.lower():
        raise SourceUnreachable("a metadata file is not the one that its page lists (its digest differs)")
    raw, _ = parse_email(answer.body)
    if "metadata_version" not in raw or "name" not in raw:
        raise SourceUnreachable("a metadata file is none")
    if read_version(raw.get("version", "")) != version:  # many a page lists no digest by which it would be known
        stated = quoted(raw.get("version", ""))
        raise SourceUnreachable(f"a metadata file is that of another release, {stated}, not of {version}")
    status = next((one for one in raw.get("classifiers", ()) if one.startswith(_STATUS)), "")
    return Metadata(
        requires=tuple(" ".join(one.split()) for one in raw.get("requires_dist", ())),
        development_status=status.removeprefix(_STATUS),
        repository=_repository(raw),
    )


def _repository(raw: RawMetadata) -> str:
    """The address at GitHub among the links of a project, by what they are called; blank where there is none."""
    links = {_plain(label): url for label, url in raw.get("project_urls", {}).items() if _is_github(url)}
    for label in _CODE_LABELS:
        if label in links:
            return links[label]
    home = raw.get("home_page", "")
    return home if _is_github(home) else next((_root(url) for url in links.values()), "")


def _root(url: str) -> str:
    """The repository that an address lies in, such as that of its issues."""
    parts = urlsplit(url.strip())
    owner, repository = [step for step in parts.path.split("/") if step][:2]
    return f"{parts.scheme}://{parts.netloc}/{owner}/{repository}"


def _plain(label: str) -> str:
    return "".join(letter for letter in label.casefold() if letter.isalnum())


def _is_github(url: str) -> bool:
    """Whether an address is that of a repository at GitHub: host, owner, repository."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return False
    steps = [step for step in parts.path.split("/") if step]
    return parts.scheme in ("http", "https") and parts.hostname in ("github.com", "www.github.com") and len(steps) >= 2
