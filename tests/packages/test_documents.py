from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from batchbook.errors import Finding
from batchbook.packages.documents import documents, parse_json, parse_yaml


def read(path: Path) -> tuple[list[Any], list[Finding]]:
    findings: list[Finding] = []
    return [document for _, document in documents(path, findings)], findings


def ids(path: Path) -> list[str]:
    found, findings = read(path)
    assert findings == []
    return [document["id"] for document in found]


A, B = {"id": "A"}, {"id": "B"}
LINES = f"{json.dumps(A)}\n\n{json.dumps(B)}\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("one.json", json.dumps([A, B])),
        ("answer.json", json.dumps({"vulns": [A, B]})),
        ("lines.jsonl", LINES),
        ("list.yaml", "- id: A\n- id: B\n"),
        ("marked.json", "\ufeff" + json.dumps([A, B])),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_of_each_kind_is_read(tmp_path: Path, name: str, content: str, packed: bool) -> None:
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    assert ids(path) == ["A", "B"]


def test_a_mixed_folder_is_read_in_full(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "A.json").write_text(json.dumps(A))
    (tmp_path / "b.yml").write_text("id: B")
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(b'{"id": "C"}'))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        packed.writestr("D.json", '{"id": "D"}')
        packed.writestr("sub/E.yaml.gz", gzip.compress(b"id: E"))
        packed.writestr("__MACOSX/._D.json", b"\x00")
    (tmp_path / "README.md").write_text("# no record")
    (tmp_path / ".hidden.json").write_text("no record")
    (tmp_path / "source.yaml").write_text("date: 2024-10-10")
    assert sorted(ids(tmp_path)) == ["A", "B", "C", "D", "E"]


def test_a_folder_that_is_linked_into_itself_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(A))
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert ids(tmp_path) == ["A"]


def test_numbers_stay_the_text_they_are_written_as() -> None:
    assert parse_json('{"fixed": 1.10, "n": 7}') == {"fixed": "1.10", "n": "7"}
    assert parse_yaml("fixed: 1.10\ndate: 2024-10-10\nyes: no\nwithdrawn: null\nempty:\n") == {
        "fixed": "1.10",
        "date": "2024-10-10",
        "yes": "no",
        "withdrawn": None,
        "empty": None,
    }


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b'{"id": ', "is no JSON"),
        ("a.json", b"\xff\xfe", "is not UTF-8"),
        ("a.json", b'{"id": NaN}', "NaN"),
        ("a.json", b"[" * 100_000, "nested"),
        ("a.yaml", b"id: [", "is no YAML"),
        ("a.yaml", b"a: !!python/object/apply:os.getcwd []", "is no YAML"),
        ("a.json.gz", b"no gzip", "cannot be unpacked"),
        ("a.jsonl.gz", gzip.compress(LINES.encode() * 50, mtime=0)[:-12], "cannot be unpacked"),
        ("a.zip", b"PK no zip", "cannot be read"),
        ("a.txt", b"{}", "is neither"),
    ],
)
def test_what_cannot_be_read_is_a_finding(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    found, (finding,) = read(tmp_path / name)
    assert found == []
    assert said in finding.message
    assert name in str(finding.file)


def test_everything_that_cannot_be_read_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text(json.dumps(A))
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "bad.jsonl").write_text('{"id": "B"}\n{"id"\n')
    (tmp_path / "packed.json.xz").write_bytes(b"?")
    (tmp_path / "blob.gz").write_bytes(b"?")
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as packed:
        packed.writestr("readme.txt", "")
    found, findings = read(tmp_path)
    assert [document["id"] for document in found] == ["B", "A"]
    assert sorted(Path(str(finding.file)).name for finding in findings) == [
        "bad.json",
        "bad.jsonl",
        "blob.gz",
        "none.zip",
        "packed.json.xz",
    ]
    assert [finding.line for finding in findings if finding.line] == [2]


def test_a_damaged_member_of_a_zip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as packed:
        packed.writestr("A.json", json.dumps(A))
        packed.writestr("B.json", json.dumps(B))
    path.write_bytes(path.read_bytes().replace(b'{"id": "B"}', b'{"id": "X"}'))
    found, (finding,) = read(path)
    assert found == [A]
    assert "B.json" in str(finding.file)


def test_an_answer_with_further_pages_is_incomplete(tmp_path: Path) -> None:
    for token, whole in (("abc", False), ("", True), (None, True)):
        (tmp_path / "answer.json").write_text(json.dumps({"vulns": [A], "next_page_token": token}))
        found, findings = read(tmp_path / "answer.json")
        assert (found == [A], findings == []) == (whole, whole)
        assert whole or "next_page_token" in findings[0].message


@pytest.mark.parametrize(
    "name", ["B.json.xz", "more.zip", "blob.gz", "B", "B.js", "B.json.part", "../x.bin", "all.tar"]
)
def test_a_member_of_a_zip_that_is_not_read_is_named(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        packed.writestr("A.json", json.dumps(A))
        packed.writestr(name, b"?")
    found, (finding,) = read(tmp_path / "all.zip")
    assert found == [A]
    assert name in str(finding.file)


def test_papers_and_sidecars_in_a_zip_are_no_findings_and_no_path_hides_a_record(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        packed.mkdir("deep")
        for name in ("README.md", "LICENSE", "deep/readme.txt", "source.yaml", "A.json.source.yaml", ".git/config"):
            packed.writestr(name, b"?")
        packed.writestr("../A.json", json.dumps(A))
        packed.writestr("./opensource.yaml", "id: B")
    assert ids(tmp_path / "all.zip") == ["A", "B"]


@pytest.mark.parametrize("name", ["B.json.part", "B.json.tmp", "B.jsonl~", "B.json.1", "all.xz", "all.crdownload"])
def test_a_file_in_a_folder_that_is_packed_or_not_there_in_full_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "A.json").write_text(json.dumps(A))
    (tmp_path / "LICENSE").write_text("?")
    (tmp_path / name).write_bytes(b"?")
    found, (finding,) = read(tmp_path)
    assert found == [A]
    assert name in str(finding.file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: &x [1]\nb: *x", "line 1"),
        ("a: 1\nb: *x", "line 2"),
        ("a: &x 1", "anchor"),
        ("a: !!int ''", "tag"),
        ("a: !!timestamp x", "tag"),
        ("[" * 101 + "]" * 101, "nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_yaml_that_is_more_than_plain_data_is_refused_before_it_is_built(content: str, said: str) -> None:
    with pytest.raises(ValueError, match="is no YAML") as error:
        parse_yaml(content)
    assert said in str(error.value)


def test_yaml_as_deep_as_records_are_is_read() -> None:
    assert parse_yaml("a: !!str 1.10\nb: " + "[" * 50 + "]" * 50)["a"] == "1.10"


def test_what_is_wrong_with_yaml_is_said_in_few_words() -> None:
    with pytest.raises(ValueError, match="is no YAML") as error:
        parse_yaml(f"a: !{'x' * 5_000}!y z")
    assert len(str(error.value)) < 300
