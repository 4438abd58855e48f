"""The simple repository API (PEP 503, 691, 700, 714, 792) over made-up packages."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import quote, unquote

from packaging.utils import canonicalize_name

from tests.servers.made import MadePackage, MadeRelease, utc_text
from tests.servers.settings import Settings
from tests.servers.wire import Answer, Asked

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
OLD_HTML = "text/html"
ACCEPTED_AS = {
    JSON: JSON,
    "application/vnd.pypi.simple.latest+json": JSON,
    HTML: HTML,
    "application/vnd.pypi.simple.latest+html": HTML,
    OLD_HTML: OLD_HTML,
    "text/*": OLD_HTML,
    "*/*": OLD_HTML,
    "application/*": JSON,
}
FOREVER = "max-age=365000000, immutable, public"


@dataclass(frozen=True)
class File:
    """One file of a release."""

    name: str
    release: MadeRelease
    metadata: bytes | None
    """What its metadata file holds, None where it has none."""

    @property
    def content(self) -> bytes:
        """What a download gives."""
        return f"made up: {self.name}\n".encode()

    @property
    def sha256(self) -> str:
        """Of the content."""
        return hashlib.sha256(self.content).hexdigest()


class Index:
    """Answers for index pages, metadata and files."""

    def __init__(self, packages: dict[str, MadePackage], settings: Settings) -> None:
        """`packages` by normalised name; changes to it show at once."""
        self.packages = packages
        self.settings = settings
        self._pages: dict[tuple[str, str], tuple[MadePackage, bytes]] = {}

    def refused(self, asked: Asked) -> Answer | None:
        """401 where credentials are asked for and not given."""
        if self.settings.credentials is None:
            return None
        pair = ":".join(self.settings.credentials).encode()
        if asked.headers.get("authorization") == "Basic " + base64.b64encode(pair).decode():
            return None
        return Answer(401, b"credentials, please\n", headers={"WWW-Authenticate": 'Basic realm="index"'})

    def page(self, asked: Asked, written: str) -> Answer:
        """The page of a project; `written` is its name as in the address, with the slash at its end or without."""
        name = canonicalize_name(written.rstrip("/"))
        if written != f"{name}/":
            return Answer(301, headers={"Location": f"/simple/{quote(name)}/"})
        package = self.packages.get(name)
        if package is None:
            return Answer(404, b"404 Not Found\n")
        form = OLD_HTML if self.settings.html_only else negotiate(asked.headers.get("accept"))
        if form is None:
            return Answer(406, b"no such form\n")
        body = self._rendered(name, package, form)
        return self._cached(asked, body, form)

    def file(self, path: str) -> Answer:
        """A file or its metadata, by what follows ``/files/`` in its address."""
        name, _, filename = path.partition("/")
        package = self.packages.get(name)
        wanted = filename.removesuffix(".metadata")
        for file in files_of(package) if package else ():
            if file.name != wanted:
                continue
            if wanted == filename:
                return Answer(200, file.content, "application/octet-stream", {"Cache-Control": FOREVER})
            if file.metadata is not None and self._tells_metadata():
                return Answer(200, file.metadata, "binary/octet-stream", {"Cache-Control": FOREVER})
        return Answer(404, b"404 Not Found\n")

    def _tells_metadata(self) -> bool:
        return self.settings.metadata != "none"

    def _rendered(self, name: str, package: MadePackage, form: str) -> bytes:
        known = self._pages.get((name, form))
        if known is None or known[0] is not package:
            text = self._json(name, package) if form == JSON else self._html(name, package)
            known = self._pages[name, form] = (package, text.encode())
        return known[1]

    def _cached(self, asked: Asked, body: bytes, form: str) -> Answer:
        headers = {"Cache-Control": f"max-age={self.settings.max_age}, public", "Vary": "Accept, Accept-Encoding"}
        if self.settings.etags:
            tag = headers["ETag"] = f'"{hashlib.sha256(form.encode() + body).hexdigest()[:22]}"'
            known = [one.strip().removeprefix("W/") for one in asked.headers.get("if-none-match", "").split(",")]
            if tag in known or "*" in known:
                return Answer(304, headers=headers)
        return Answer(200, body, form if form == JSON else f"{form}; charset=utf-8", headers)

    def _url(self, name: str, file: File) -> str:
        path = f"files/{quote(name)}/{quote(file.name)}"
        return f"../../{path}" if self.settings.relative_urls else f"{self.base}/{path}"

    base = ""
    """The server's address, set once it is known."""

    def _json(self, name: str, package: MadePackage) -> str:
        minor = int(self.settings.api_version.split(".")[1])
        page: dict[str, Any] = {
            "meta": {"api-version": self.settings.api_version},
            "name": name,
            "files": [self._json_file(name, file, minor) for file in files_of(package)],
        }
        if minor >= 1:
            page["versions"] = list(dict.fromkeys(one.version for one in package.releases))
        if minor >= 4 and package.status:
            page["project-status"] = {"status": package.status}
            if package.status_reason:
                page["project-status"]["reason"] = package.status_reason
        return json.dumps(page)

    def _json_file(self, name: str, file: File, minor: int) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "filename": file.name,
            "url": self._url(name, file),
            "hashes": {"sha256": file.sha256},
            "requires-python": file.release.requires_python or None,
            "yanked": file.release.yanked,
        }
        if minor >= 1:
            shown["size"] = len(file.content)
            if file.release.uploaded is not None:
                shown["upload-time"] = utc_text(file.release.uploaded)
        told = self._told_metadata(file)
        if told is not None:
            # The first standard named the key otherwise; indexes send both today, old ones the old name only.
            shown["dist-info-metadata" if self.settings.metadata == "old" else "core-metadata"] = told
            if self.settings.metadata != "old":
                shown["data-dist-info-metadata"] = told
        return shown

    def _told_metadata(self, file: File) -> bool | dict[str, str] | None:
        if not self._tells_metadata():
            return None
        if file.metadata is None:
            return False
        if self.settings.metadata == "true":
            return True
        return {"sha256": hashlib.sha256(file.metadata).hexdigest()}

    def _html(self, name: str, package: MadePackage) -> str:
        head = '<meta name="pypi:repository-version" content="1.0">'
        if package.status:
            head += f'\n<meta name="pypi:project-status" content="{escape(package.status)}">'
        if package.status_reason:
            head += f'\n<meta name="pypi:project-status-reason" content="{escape(package.status_reason)}">'
        links = "\n".join(f"{self._anchor(name, file)}<br />" for file in files_of(package))
        title = f"Links for {escape(name)}"
        return (
            f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n<title>{title}</title>\n</head>\n'
            f"<body>\n<h1>{title}</h1>\n{links}\n</body>\n</html>\n"
        )

    def _anchor(self, name: str, file: File) -> str:
        attributes = {"href": f"{self._url(name, file)}#sha256={file.sha256}"}
        if file.release.requires_python:
            attributes["data-requires-python"] = file.release.requires_python
        if file.release.yanked is not False:
            attributes["data-yanked"] = "" if file.release.yanked is True else file.release.yanked
        told = self._told_metadata(file)
        if told:
            text = "true" if told is True else f"sha256={told['sha256']}"
            attributes["data-dist-info-metadata"] = text
            if self.settings.metadata != "old":
                attributes["data-core-metadata"] = text
        written = " ".join(f'{key}="{escape(value)}"' for key, value in attributes.items())
        return f"<a {written}>{escape(file.name)}</a>"


def files_of(package: MadePackage) -> Iterator[File]:
    """The files of a package, in the order of its releases; wheels have metadata."""
    plain = canonicalize_name(package.name).replace("-", "_")
    for release in package.releases:
        if release.wheel:
            metadata = release.metadata if release.metadata is not None else metadata_text(package, release.version)
            yield File(f"{plain}-{release.version}-py3-none-any.whl", release, metadata.encode())
        if release.sdist:
            yield File(f"{plain}-{release.version}.tar.gz", release, None)
        for name in release.other_files:
            yield File(name, release, None)


def metadata_text(package: MadePackage, version: str) -> str:
    """Core metadata of a release."""
    fields: list[tuple[str, str]] = [("Metadata-Version", "2.1"), ("Name", package.name), ("Version", version)]
    fields.append(("Summary", f"{package.name}, made up"))
    if package.home_page:
        fields.append(("Home-page", package.home_page))
    fields += [("Project-URL", f"{label}, {url}") for label, url in package.project_urls.items()]
    fields += [("Classifier", one) for one in package.classifiers]
    fields += [("Requires-Dist", one) for one in package.requires]
    release = next((one for one in package.releases if one.version == version), None)
    if release is not None and release.requires_python:
        fields.append(("Requires-Python", release.requires_python))
    return "".join(f"{key}: {value}\n" for key, value in fields) + f"\n# {package.name}\n\nA description: none.\n"


def negotiate(accept: str | None) -> str | None:
    """The form that is wanted most, None where none can be had."""
    if accept is None or not accept.strip():
        return OLD_HTML
    best: tuple[float, int, str] | None = None
    for place, part in enumerate(accept.split(",")):
        kind, *parameters = (one.strip() for one in part.split(";"))
        form = ACCEPTED_AS.get(kind.lower())
        weight = _weight(parameters)
        if form is not None and weight > 0 and (best is None or weight > best[0]):
            best = (weight, place, form)
    return best[2] if best else None


def _weight(parameters: list[str]) -> float:
    values: Mapping[str, str] = dict(one.split("=", 1) for one in parameters if "=" in one)
    try:
        return float(values.get("q", "1"))
    except ValueError:
        return 0.0


def name_in(path: str) -> str:
    """The normalised name in the path of an index page or file."""
    return canonicalize_name(unquote(path).strip("/").split("/")[0])
