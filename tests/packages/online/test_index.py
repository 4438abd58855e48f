from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from packaging.version import Version

from batchbook.packages.online.index import SimpleIndex
from batchbook.packages.releases import Metadata, Project, Release
from batchbook.packages.sources import SourceUnreachable
from tests.packages.online.fakes import FakeEndpoint

BASE = "https://index.test/simple/"
PAGE = f"{BASE}thing/"
JSON = "application/vnd.pypi.simple.v1+json"


def file(name: str, **more: Any) -> dict[str, Any]:
    return {"filename": name, "url": f"../../files/{name}", "hashes": {}, **more}


def page(*files: Mapping[str, Any], **more: Any) -> bytes:
    return json.dumps({"meta": {"api-version": "1.1"}, "name": "thing", "files": list(files), **more}).encode()


def index_of(body: bytes, kind: str = JSON, status: int = 200) -> tuple[SimpleIndex, FakeEndpoint]:
    endpoint = FakeEndpoint({PAGE: (status, body, kind)})
    return SimpleIndex(endpoint, BASE.rstrip("/"), "index"), endpoint


def project_of(body: bytes, kind: str = JSON) -> Project:
    project = index_of(body, kind)[0].lookup("thing").project
    assert project is not None
    return project


def test_a_release_is_dated_by_its_first_file() -> None:
    found = project_of(
        page(
            file("thing-1.0.tar.gz", **{"upload-time": "2024-03-02T10:00:00Z"}),
            file("thing-1.0-py3-none-any.whl", **{"upload-time": "2024-03-01T23:59:59.5Z"}),
            file("thing-2.0rc1.tar.gz", **{"upload-time": "2024-05-01T00:00:00Z"}),
        )
    )
    assert [(str(one.version), one.published) for one in found.releases] == [
        ("1.0", dt.date(2024, 3, 1)),
        ("2.0rc1", dt.date(2024, 5, 1)),
    ]


def test_a_release_is_yanked_when_all_its_files_are() -> None:
    found = project_of(
        page(
            file("thing-1.0.tar.gz", yanked="broken"),
            file("thing-1.0-py3-none-any.whl", yanked="broken"),
            file("thing-2.0.tar.gz", yanked=True),
            file("thing-2.0-py3-none-any.whl"),
            file("thing-3.0.tar.gz", yanked=True),
        )
    )
    assert [(one.yanked, one.yanked_reason) for one in found.releases] == [(True, "broken"), (False, ""), (True, "")]


def test_what_a_release_asks_of_python_is_what_its_live_files_ask() -> None:
    found = project_of(
        page(
            file("thing-1.0.tar.gz", **{"requires-python": ">=3.12", "yanked": True}),
            file("thing-1.0-py3-none-any.whl", **{"requires-python": ">=3.8"}),
            file("thing-2.0.tar.gz"),
        )
    )
    assert [one.requires_python for one in found.releases] == [(">=3.8",), ("",)]


def test_files_of_other_projects_and_without_a_version_are_no_releases() -> None:
    found = project_of(
        page(file("other-9.0.tar.gz"), file("README.txt"), file("thing-1!2.0.post1.tar.gz"), file("Thing-1.0.zip"))
    )
    assert [str(one.version) for one in found.releases] == ["1.0", "1!2.0.post1"]


def test_a_project_that_is_quarantined_or_archived_says_so() -> None:
    found = project_of(page(**{"project-status": {"status": "archived", "reason": "use  other"}}))
    assert (found.state, found.state_reason) == ("archived", "use other")
    assert (project_of(page()).state, project_of(page()).state_reason) == ("", "")


def test_an_index_with_html_only_gives_neither_times_nor_metadata() -> None:
    html = b"""<!DOCTYPE html><html><body>
      <a href="/files/thing-1.0.tar.gz#sha256=aa" data-requires-python="&gt;=3.8">thing-1.0.tar.gz</a>
      <a href="/files/thing-2.0.tar.gz" data-yanked="bad one">thing-2.0.tar.gz</a></body></html>"""
    found = project_of(html, "text/html")
    assert found.releases == (
        Release(Version("1.0"), requires_python=(">=3.8",)),
        Release(Version("2.0"), yanked=True, yanked_reason="bad one", requires_python=("",)),
    )


def test_a_project_that_is_not_there_is_no_trouble() -> None:
    listing = index_of(b"", status=404)[0].lookup("thing")
    assert (listing.project, listing.date) == (None, "2026-11-20")


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (b"<html>please log in</html>", "text/plain", "it answered with text/plain, not with a page"),
        (b"", "", "it answered with no content type"),
        (b"{", JSON, "cannot be read"),
        (b"[1]", JSON, "cannot be read"),
        (b"[" * 100_000, JSON, "cannot be read"),
        (b'{"meta": {"api-version": "1.0"}, "name": "thing"}', JSON, "cannot be read (files"),
        (page(file("thing-1.0.tar.gz", yanked=[])), JSON, "cannot be read"),
        (page().replace(b"1.1", b"9.0"), JSON, "cannot be read"),
        (page().replace(b'"thing"', b'"other"'), JSON, "page of another project, other"),
        (b'<html><a href="thing-1.0.tar.gz">thing-1.0.tar.gz</a>', "text/html", "is not whole"),
        (b'<!DOCTYPE html><body><a href="thing-1.0.tar.gz">thing-1.0.tar.gz</a>', "text/html", "is not whole"),
        (b"<html><h1>We will be back soon</h1></html>", "text/html", "lists no file of it"),
        (b'<html><a href="/login">Log in to thing</a></html>', "text/html", "lists no file of it"),
        (b"", "text/html", "lists no file of it"),
        (b"\xff\xfe\x00", JSON, "cannot be read"),
    ],
)
def test_an_answer_that_is_no_page_of_the_project_is_trouble(body: bytes, kind: str, said: str) -> None:
    with pytest.raises(SourceUnreachable) as raised:
        index_of(body, kind)[0].lookup("thing")
    assert said in str(raised.value)


METADATA = b"""Metadata-Version: 2.1
Name: thing
Version: 1.0
Classifier: Programming Language :: Python
Classifier: Development Status :: 5 - Production/Stable
Requires-Dist: a >=1
Requires-Dist: b ; extra == 'x'
Project-URL: Documentation, https://github.com/x/docs
Project-URL: Source Code, https://github.com/x/thing

Text
"""


def described(content: bytes, **links: Any) -> tuple[SimpleIndex, Release, FakeEndpoint]:
    sum256 = hashlib.sha256(content).hexdigest()
    files = [
        file("thing-1.0.tar.gz"),
        file("thing-1.0-py3-none-any.whl", **(links or {"core-metadata": {"sha256": sum256}})),
    ]
    index, endpoint = index_of(page(*files))
    endpoint.answers["https://index.test/files/thing-1.0-py3-none-any.whl.metadata"] = (200, content, "")
    project = index.lookup("thing").project
    assert project is not None
    return index, project.releases[0], endpoint


def test_the_metadata_is_that_of_the_wheel_and_kept_for_good() -> None:
    index, release, endpoint = described(METADATA)
    assert index.metadata(release) == Metadata(
        ("a >=1", "b ; extra == 'x'"), "5 - Production/Stable", "https://github.com/x/thing"
    )
    assert endpoint.kept == [f"metadata {hashlib.sha256(METADATA).hexdigest()}"]


def test_metadata_without_a_digest_is_kept_by_its_address() -> None:
    index, release, endpoint = described(METADATA, **{"core-metadata": True})
    assert index.metadata(release) is not None
    assert endpoint.kept == ["metadata https://index.test/files/thing-1.0-py3-none-any.whl.metadata"]


def test_a_release_without_a_metadata_file_has_none() -> None:
    index, release, endpoint = described(METADATA, **{"core-metadata": False})
    assert index.metadata(release) is None
    assert endpoint.asked == [PAGE]


def test_the_metadata_of_a_source_distribution_are_not_taken_for_they_may_not_say_what_is_required() -> None:
    (release,) = project_of(page(file("thing-1.0.tar.gz", **{"core-metadata": True}))).releases
    assert release.metadata == ""


@pytest.mark.parametrize("version", [b"Version: 2.0", b"Version: NEW", b"Summary: none"])
def test_metadata_of_another_release_are_trouble_where_no_digest_tells_them_apart(version: bytes) -> None:
    index, release, _ = described(METADATA.replace(b"Version: 1.0", version), **{"core-metadata": True})
    with pytest.raises(SourceUnreachable, match="that of another release"):
        index.metadata(release)


def test_metadata_that_is_not_what_the_page_lists_is_trouble() -> None:
    index, release, endpoint = described(METADATA)
    place = endpoint.asked[-1].replace("simple/thing/", "files/thing-1.0-py3-none-any.whl.metadata")
    endpoint.answers[place] = (200, METADATA.replace(b"a >=1", b"a"), "")
    with pytest.raises(SourceUnreachable, match="its digest differs"):
        index.metadata(release)
    endpoint.answers[place] = (404, b"", "")
    with pytest.raises(SourceUnreachable, match="does not have the metadata file"):
        index.metadata(release)


@pytest.mark.parametrize("content", [b"", b"<html>no</html>", b"\x00\xff", b"Name: thing\n"])
def test_what_is_no_metadata_is_trouble(content: bytes) -> None:
    index, release, _ = described(content)
    with pytest.raises(SourceUnreachable, match="a metadata file is none"):
        index.metadata(release)


@pytest.mark.parametrize(
    ("links", "repository"),
    [
        ("Homepage, https://github.com/x/thing", "https://github.com/x/thing"),
        ("Homepage, https://example.org", ""),
        ("Bug Tracker, https://github.com/x/thing/issues", "https://github.com/x/thing"),
        ("Source, https://github.com.evil.test/x/thing", ""),
        ("Source, https://github.com/x", ""),
        ("Source, javascript:alert(1)//github.com/x/thing", ""),
        ("Source, https://[broken", ""),
    ],
)
def test_the_repository_is_an_address_of_a_repository_at_github(links: str, repository: str) -> None:
    content = f"Metadata-Version: 2.1\nName: thing\nVersion: 1.0\nProject-URL: {links}\n".encode()
    index, release, _ = described(content)
    said = index.metadata(release)
    assert said is not None
    assert said.repository == repository


def test_times_of_upload_are_in_utc_with_a_zone_and_without() -> None:
    found = project_of(
        page(
            file("thing-1.0.tar.gz", **{"upload-time": "2024-03-01T23:30:00-05:00"}),
            file("thing-1.0-py3-none-any.whl", **{"upload-time": "2024-03-03T00:00:00"}),
        )
    )
    assert [one.published for one in found.releases] == [dt.date(2024, 3, 2)]


def test_metadata_are_not_those_of_a_yanked_file_where_another_is_left() -> None:
    broken = file("thing-1.0-py3-none-any.whl", yanked="wrong metadata", **{"core-metadata": {"sha256": "aa"}})
    mended = file("thing-1.0-1-py3-none-any.whl", **{"core-metadata": {"sha256": "bb"}})
    (release,) = project_of(page(broken, mended)).releases
    assert release.metadata.endswith("thing-1.0-1-py3-none-any.whl.metadata#sha256=bb")
    (release,) = project_of(page(broken)).releases
    assert release.metadata.endswith("#sha256=aa")
