from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from batchbook.errors import ConfigurationError
from batchbook.packages.exploited import known_exploited
from batchbook.packages.hits import Hit
from batchbook.packages.kev import KnownExploited, cves
from batchbook.packages.records import read_record
from tests.packages.conftest import make_record

ENTRIES = [{"cveID": "CVE-2000-0001", "dateAdded": "2001-02-03"}, {"cveID": "CVE-2000-0002", "dateAdded": "2001-02-04"}]


def told(kev: KnownExploited, *names: str) -> str:
    """What the review says of an advisory that goes by these names."""
    record = read_record(make_record(names[0], aliases=list(names[1:])))
    return known_exploited(Hit((record,), record.packages["thing"], ("here",)), kev)


def catalogue(**more: object) -> str:
    return json.dumps({"title": "Made up", "vulnerabilities": ENTRIES, **more})


def test_the_json_file_is_read_with_its_date_of_release(tmp_path: Path) -> None:
    (tmp_path / "kev.json").write_text(catalogue(count=2, dateReleased="2001-03-04T15:16:17.0000Z"))
    kev = KnownExploited(tmp_path / "kev.json")
    assert (kev.name, kev.date) == ("CISA KEV", "2001-03-04")
    assert told(kev, "PYSEC-1", "cve-2000-0002") == "yes"
    assert told(kev, "CVE-2000-0003") == "no"


def test_what_has_no_cve_id_cannot_be_asked(tmp_path: Path) -> None:
    (tmp_path / "kev.json").write_text(catalogue())
    assert told(KnownExploited(tmp_path / "kev.json"), "PYSEC-2024-1", "GHSA-x") == "not checked"


def test_a_csv_file_has_the_date_of_its_newest_entry(tmp_path: Path) -> None:
    text = (
        '"cveID","vendorProject","dateAdded"\n"CVE-2000-0001","A, B","2001-02-03"\n"CVE-2000-0002","C","2001-02-04"\n'
    )
    (tmp_path / "kev.csv").write_text(text)
    (tmp_path / "kev.csv.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("kev.csv", "kev.csv.gz"):
        kev = KnownExploited(tmp_path / name)
        assert (kev.date, len(kev.ids)) == ("2001-02-04", 2)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("kev.json", "{"),
        ("kev.json", "[]"),
        ("kev.json", '{"vulnerabilities": []}'),
        ("kev.json", catalogue(count=3)),
        ("kev.json", '{"vulnerabilities": [{"id": "x"}], "dateReleased": "2001-03-04"}'),
        ("kev.json", '{"vulnerabilities": [{"cveID": "CVE-2000-0001"}]}'),
        ("kev.csv", "id\nCVE-2000-0001\n"),
        ("kev.json.gz", "no gzip"),
    ],
)
def test_a_catalogue_that_cannot_be_used_is_an_error(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigurationError) as error:
        KnownExploited(tmp_path / name)
    assert name in str(error.value.findings[0])


def test_a_missing_catalogue_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        KnownExploited(tmp_path / "kev.json")


def test_cve_ids_are_found_among_names() -> None:
    assert cves(["GHSA-1", "cve-2024-1234", "CVE-2024-1234", "CVE-20", "CVE-2024-123456"]) == [
        "CVE-2024-1234",
        "CVE-2024-123456",
    ]
