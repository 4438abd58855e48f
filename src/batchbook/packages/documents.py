"""Documents out of files: JSON, JSONL and YAML, alone, in a folder, in a zip, packed by gzip.

Every number is read as the text it is written as: a version 1.10 without quotes must not become 1.1. What cannot be
read becomes a finding with its place, and reading goes on, so that all of it is said at once.
"""

from __future__ import annotations

import gzip
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

import yaml

from batchbook.errors import Finding
from batchbook.packages.wording import MOST_QUOTED, shorten

SIDECAR = "source.yaml"
"""Beside a file as ``NAME.source.yaml``, or in a folder: the name and date of what lies there."""
KINDS = (".json", ".jsonl", ".yaml", ".yml")
_UNREAD = (
    *(".gz", ".xz", ".bz2", ".zst", ".lz4", ".lzma", ".7z", ".tar", ".tgz", ".tbz2", ".txz", ".rar", ".zip"),
    *(".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".filepart"),
)
"""Packed in a way that is not read, or not there in full: what it holds would be missing."""
_PAPERS = (".md", ".rst", ".adoc", ".html", ".pdf")
_PAPER_NAMES = ("readme", "license", "licence", "copying", "notice", "changelog", "changes", "contributing", "authors")
_NOT_READ = f"is neither {', '.join(KINDS)}, one of these with .gz, nor a zip of them"
_MOST_DEPTH = 100
_TAGS = (None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")))
_Document = tuple[Finding, Any]

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _TextLoader(_Base):  # type: ignore[misc]
    """YAML with null as its only special scalar: numbers, dates and yes/no stay text."""


_TextLoader.yaml_implicit_resolvers = {
    first: kept
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    if (kept := [one for one in resolvers if one[0] in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")])
}


def documents(path: Path, findings: list[Finding]) -> Iterator[_Document]:
    """All documents below a path, each with its place; what cannot be read is added to `findings`."""
    for file in _files(path, findings):
        if file.suffix.lower() == ".zip":
            yield from _in_zip(file, findings)
            continue
        place = Finding("", str(file))
        kind = kind_of(file.name)
        if kind:
            try:
                yield from _parse(file.read_bytes(), kind, place, findings)
            except OSError as problem:
                findings.append(_at(place, f"cannot be read: {problem.strerror or problem}"))
        elif file == path or _holds_unread(file.name):
            findings.append(_at(place, _NOT_READ))


def kind_of(name: str) -> str:
    """The ending that says how a file is read, ``.json.gz`` and the like included; empty where it is not read."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(name).suffixes]
    if suffixes[-1:] == [".gz"] and len(suffixes) > 1 and suffixes[-2] in KINDS:
        return suffixes[-2] + ".gz"
    return suffixes[-1] if suffixes and suffixes[-1] in KINDS else ""


def _holds_unread(name: str) -> bool:
    """Whether a name says that there are records in a form that is not read, such as ``all.json.part``."""
    suffixes = [suffix.lower().rstrip("~") for suffix in PurePosixPath(name).suffixes]
    return any(suffix in _UNREAD or suffix in KINDS for suffix in suffixes)


def _is_paper(name: str) -> bool:
    """Whether a name is that of a text for people, such as ``LICENSE``."""
    path = PurePosixPath(name.lower())
    return not _holds_unread(name) and (path.suffix in _PAPERS or path.name.split(".")[0] in _PAPER_NAMES)


def unpack(content: bytes, kind: str) -> str:
    """A file's text; ValueError where it cannot be unpacked or is not UTF-8."""
    if kind.endswith(".gz"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as problem:
            raise ValueError(f"cannot be unpacked: {problem}") from problem
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ValueError(f"is not UTF-8: {problem.reason} at byte {problem.start}") from problem


def parse_json(text: str) -> Any:
    """JSON with every number as the text it is written as; ValueError where it is none."""
    try:
        return json.loads(text, parse_float=str, parse_int=str, parse_constant=_no_constant)
    except RecursionError as problem:
        raise ValueError("is nested too deeply") from problem


def parse_yaml(text: str) -> Any:
    """YAML with every scalar but null as text; ValueError where it is none, or more than plain data."""
    try:
        _check_events(text)
        return yaml.load(text, Loader=_TextLoader)
    except (yaml.YAMLError, RecursionError) as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        said = shorten(str(getattr(problem, "problem", None) or problem), 2 * MOST_QUOTED)
        raise ValueError(f"is no YAML: {said}{where}") from problem


def _check_events(text: str) -> None:
    """Refuse what a few lines can make endless or deep, before anything is built of it."""
    depth = 0
    for event in yaml.parse(text, Loader=_TextLoader):
        where = f"in line {event.start_mark.line + 1}" if event.start_mark else ""
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ValueError(f"is no YAML that is read: it has an anchor or alias {where}")
        if getattr(event, "tag", None) not in _TAGS:
            raise ValueError(f"is no YAML that is read: it has a tag {where}")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MOST_DEPTH:
            raise ValueError(f"is no YAML that is read: it is nested too deeply {where}")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"is no JSON: {name}")


def _files(path: Path, findings: list[Finding]) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return

    def unreadable(problem: OSError) -> None:
        findings.append(Finding(f"cannot be read: {problem.strerror}", str(problem.filename)))

    seen: set[Path] = set()
    for folder, folders, names in os.walk(path, onerror=unreadable, followlinks=True):
        here = Path(folder)
        if here.resolve() in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(here.resolve())
        folders[:] = sorted(name for name in folders if not _set_aside(name))
        yield from (here / name for name in sorted(names) if not _set_aside(name))


def _set_aside(name: str) -> bool:
    """Hidden files, those of tools, and sidecars are no documents."""
    if name in (".", ".."):
        return False
    return name.startswith((".", "__")) or name == SIDECAR or name.endswith(f".{SIDECAR}")


def _in_zip(file: Path, findings: list[Finding]) -> Iterator[_Document]:
    try:
        with zipfile.ZipFile(file) as packed:
            members = [
                info
                for info in packed.infolist()
                if not info.is_dir() and not any(map(_set_aside, PurePosixPath(info.filename).parts))
            ]
            if all(_is_paper(info.filename) for info in members):
                findings.append(Finding(f"holds no {', '.join(KINDS)}", str(file)))
            for info in members:
                yield from _member(packed, info, Finding("", f"{file}: {info.filename}"), findings)
    except (OSError, zipfile.BadZipFile) as problem:
        findings.append(Finding(f"cannot be read: {problem}", str(file)))


def _member(
    packed: zipfile.ZipFile, info: zipfile.ZipInfo, place: Finding, findings: list[Finding]
) -> Iterator[_Document]:
    kind = kind_of(info.filename)
    if not kind:
        if not _is_paper(info.filename):
            findings.append(_at(place, f"is neither {', '.join(KINDS)} nor one of these with .gz"))
        return
    try:
        content = packed.read(info)
    except (OSError, RuntimeError, zipfile.BadZipFile, zlib.error, EOFError) as problem:
        findings.append(_at(place, f"cannot be read: {problem}"))
        return
    yield from _parse(content, kind, place, findings)


def _parse(content: bytes, kind: str, place: Finding, findings: list[Finding]) -> Iterator[_Document]:
    try:
        text = unpack(content, kind)
        if kind.startswith(".jsonl"):
            yield from _lines(text, place, findings)
        else:
            parse = parse_json if kind.startswith(".json") else parse_yaml
            yield from ((place, one) for one in _each(parse(text)))
    except ValueError as problem:
        findings.append(_at(place, _said(problem)))


def _lines(text: str, place: Finding, findings: list[Finding]) -> Iterator[_Document]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            where = Finding("", place.file, line=number)
            try:
                yield where, parse_json(line)
            except ValueError as problem:
                findings.append(_at(where, _said(problem)))


def _each(document: Any) -> list[Any]:
    """A document is one record, a list of them, or an answer of the OSV API that holds a list."""
    if isinstance(document, list):
        return document
    if isinstance(document, dict) and "id" not in document and isinstance(document.get("vulns"), list):
        if document.get("next_page_token"):
            raise ValueError("is incomplete: it has a next_page_token, so the answer has further pages")
        return list(document["vulns"])
    return [document]


def _said(problem: ValueError) -> str:
    if isinstance(problem, json.JSONDecodeError):
        return f"is no JSON: {problem.msg} (line {problem.lineno}, column {problem.colno})"
    return str(problem)


def _at(place: Finding, message: str) -> Finding:
    return Finding(message, place.file, line=place.line)
