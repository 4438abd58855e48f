"""Who has a workbook open: the owner files that Excel and LibreOffice leave beside it."""

from __future__ import annotations

import datetime as dt
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchbook.errors import WorkbookInUse
from batchbook.storage.links import followed

MOST = 4096
"""Owner files are small; no more is read of one."""
_LONGEST_NAME = 54
_WIDE_AT = 55
_LIBREOFFICE_TIME = "%d.%m.%Y %H:%M"


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody who has a workbook open; what the owner file does not tell is empty."""

    name: str
    host: str
    program: str
    file: Path
    since: dt.datetime | None

    def __str__(self) -> str:
        more = [f"on {self.host}" if self.host else "", f"since {self.since:%Y-%m-%d %H:%M}" if self.since else ""]
        told = " ".join(filter(None, more))
        return f"{self.name or 'somebody'} in {self.program}{f' ({told})' if told else ''}"


class WorkbookOpen(WorkbookInUse):
    """Somebody has the workbook open in a spreadsheet program."""

    def __init__(self, workbook: str, owner: Owner) -> None:
        super().__init__(
            f"{workbook} is open: {owner}.",
            f"Close it there, then do it again. If nobody has it open, delete the file {owner.file.name}.",
        )
        self.workbook = workbook
        self.owner = owner

    def __reduce__(self) -> tuple[Any, ...]:
        return (WorkbookOpen, (self.workbook, self.owner))


def owner_of(workbook: Path) -> Owner | None:
    """Who has the workbook open, by the owner files beside it (and beside a symbolic link that leads to it)."""
    for place in dict.fromkeys((followed(workbook), workbook.absolute())):
        owner = _libreoffice(place) or _excel(place)
        if owner is not None:
            return owner
    return None


def check_not_open(workbook: Path) -> None:
    """Raise WorkbookInUse (WorkbookOpen) if somebody has the workbook open."""
    owner = owner_of(workbook)
    if owner is not None:
        raise WorkbookOpen(workbook.name, owner)


def _excel(workbook: Path) -> Owner | None:
    file = workbook.with_name(f"~${workbook.name}")
    found = _read(file)
    return found and Owner(excel_name(found[0]), "", "Excel", file, found[1])


def excel_name(content: bytes) -> str:
    """The name in an owner file of Excel.

    One byte of length, the name in the code page of that Windows padded to offset 55, there two bytes of length and
    the name again as UTF-16.
    """
    length = content[0] if content else 0
    if not 0 < length <= _LONGEST_NAME:
        return ""
    wide = int.from_bytes(content[_WIDE_AT : _WIDE_AT + 2], "little")
    if 0 < wide <= _LONGEST_NAME:
        text = content[_WIDE_AT + 2 : _WIDE_AT + 2 + 2 * wide].decode("utf-16-le", "replace")
    else:
        text = content[1 : 1 + length].decode("cp1252", "replace")
    return _printable(text)


def _libreoffice(workbook: Path) -> Owner | None:
    file = workbook.with_name(f".~lock.{workbook.name}#")
    found = _read(file)
    if found is None:
        return None
    fields = [*libreoffice_fields(found[0]), "", "", "", ""]
    try:
        since: dt.datetime | None = dt.datetime.strptime(fields[3], _LIBREOFFICE_TIME).astimezone()
    except (ValueError, OverflowError, OSError):
        since = found[1]
    return Owner(fields[0] or fields[1], fields[2], "LibreOffice", file, since)


def libreoffice_fields(content: bytes) -> list[str]:
    r"""Name, user, host, date and profile in a lock file of LibreOffice: by commas, ended by ``;``, quoted by ``\``."""
    fields, quoted = [""], False
    for letter in content.decode("utf-8", "replace"):
        if quoted:
            fields[-1] += letter
        elif letter == ";":
            break
        elif letter == ",":
            fields.append("")
        elif letter != "\\":
            fields[-1] += letter
        quoted = letter == "\\" and not quoted
    return [_printable(field) for field in fields]


def _read(file: Path) -> tuple[bytes, dt.datetime | None] | None:
    """The content and time of an owner file; empty where it may not be read, None where there is none."""
    try:
        found = file.lstat()
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    since = dt.datetime.fromtimestamp(found.st_mtime).astimezone()
    try:
        with file.open("rb") as opened:
            return opened.read(MOST), since
    except OSError:  # Excel may keep others from reading it: it is open all the same
        return b"", since


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable()).strip()
