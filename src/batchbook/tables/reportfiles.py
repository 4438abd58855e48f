"""Files of reports: where one may go, and how it says that it is one, so that only reports are replaced."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from defusedxml.ElementTree import fromstring

from batchbook.errors import UsageError
from batchbook.storage.links import followed
from batchbook.storage.owners import check_not_open
from batchbook.tables.bookout import PROPERTIES

MAKER = "batchbook"
KEYWORD = "batchbook-report"
"""In a report's properties; `category` there is the run that it is about, `identifier` the digest of its parts."""
_MOST_PROPERTIES = 1 << 20


@dataclass(frozen=True, slots=True)
class ReportFile:
    """Where a report goes, and what its properties say."""

    path: Path
    """As `report_target` gave it, or a file that is not there."""
    run: str
    title: str
    label: str = "report"
    """Part of the temporary file's name."""
    state: bool = False
    """Whether it is state, which is not for everybody to read (see `storage.private`)."""


@dataclass(frozen=True, slots=True)
class ReportMark:
    """What a report's properties say: the run that it is about, and whether somebody saved it since it was made."""

    run: str
    edited: bool


def parts_digest(archive: zipfile.ZipFile) -> str:
    """What a report's parts are, but for its properties, which hold this.

    A program that saves a report writes its parts anew. Some keep the properties as they are, and the name in them of
    who saved it last: that alone does not tell.
    """
    parts = sorted((one.filename, one.file_size, one.CRC) for one in archive.infolist() if one.filename != PROPERTIES)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def report_mark(path: Path) -> ReportMark | None:
    """The mark of a report made by batchbook; None where the file is something else or cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(PROPERTIES).file_size > _MOST_PROPERTIES:
                return None
            root = fromstring(archive.read(PROPERTIES))
            digest = parts_digest(archive)
    except Exception:  # noqa: BLE001 - of a damaged file anything, from zip, inflate, XML and text
        # It errs on the safe side: whatever cannot be known for a report is never replaced.
        return None
    said = {element.tag.rpartition("}")[2]: element.text or "" for element in root}
    if said.get("keywords") != KEYWORD:
        return None
    as_made = said.get("lastModifiedBy") == MAKER and said.get("identifier") == digest
    return ReportMark(said.get("category", ""), not as_made)


def report_target(path: Path) -> Path:
    """The file that a person means by a path for a report.

    Raises UsageError where it cannot be one, or holds anything but a report as batchbook made it; WorkbookInUse where
    somebody has that report open.
    """
    target = followed(path)
    for named in {path, target}:
        if named.suffix.lower() != ".xlsx":
            raise UsageError(
                f"{named} is not the name of a report workbook, so nothing was written.",
                "Give a file whose name ends in .xlsx.",
            )
    if not target.parent.is_dir():
        raise UsageError(f"There is no folder {target.parent}.", "Make it first, or give a file in another folder.")
    if target.exists():
        mark = report_mark(target) if target.is_file() else None
        if mark is None:
            raise UsageError(
                f"{target} is there and is no report made by batchbook, so it is not replaced.", "Give another name."
            )
        if mark.edited:
            raise UsageError(
                f"{target} is a report that somebody has saved since it was made, so it is not replaced.",
                "Give another name, or move that file away.",
            )
        check_not_open(target)
    return target
