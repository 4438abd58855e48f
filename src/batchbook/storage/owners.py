"""The owner files that Excel and LibreOffice lay beside a workbook while somebody has it open."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from batchbook.errors import WorkbookInUse


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody who has a workbook open."""

    name: str
    program: str
    file: Path
    """The owner file."""
    since: str
    """When the owner file was laid down, ISO 8601 with offset."""
    host: str = ""

    def __str__(self) -> str:
        where = f" on {self.host}" if self.host else ""
        return f"{self.name or 'somebody'}{where} in {self.program} since {self.since}"


def owner_of(workbook: Path) -> Owner | None:
    """Who has a workbook open, by the owner files beside it; None where there is none."""
    excel = workbook.with_name(f"~${workbook.name}")
    libre = workbook.with_name(f".~lock.{workbook.name}#")
    for file, read, program in ((excel, _excel_name, "Excel"), (libre, _libre_name, "LibreOffice")):
        try:
            content, since = file.read_bytes()[:4096], file.stat().st_mtime
        except FileNotFoundError:
            continue
        except OSError:
            content, since = b"", 0.0  # held so that it cannot be read: somebody has the workbook all the same
        name, host = read(content)
        moment = dt.datetime.fromtimestamp(since).astimezone().isoformat(timespec="seconds")
        return Owner(name, program, file, moment, host)
    return None


def _excel_name(content: bytes) -> tuple[str, str]:
    """A length byte, the name in the ANSI code page in 54 bytes, its length in UTF-16 units, the name in UTF-16."""
    if len(content) >= 57:
        length = int.from_bytes(content[55:57], "little")
        wide = content[57 : 57 + 2 * length]
        if 0 < length <= 54 and len(wide) == 2 * length:
            return wide.decode("utf-16-le", "replace").strip(), ""
    if content:
        return content[1 : 1 + min(content[0], 54)].decode("cp1252", "replace").strip(), ""
    return "", ""


def _libre_name(content: bytes) -> tuple[str, str]:
    """Fields separated by commas: name, user of the system, host, date, profile; a comma in a field is escaped."""
    fields = [""]
    escaped = False
    for char in content.decode("utf-8", "replace").rstrip("; \r\n"):
        if not escaped and char == "\\":
            escaped = True
        elif not escaped and char == ",":
            fields.append("")
        else:
            fields[-1] += char
            escaped = False
    fields += [""] * 3
    return fields[0].strip() or fields[1].strip(), fields[2].strip()


def check_not_open(workbook: Path) -> None:
    """Raise WorkbookInUse where somebody has the workbook open in Excel or LibreOffice."""
    owner = owner_of(workbook)
    if owner is not None:
        raise WorkbookInUse(
            f"{workbook.name} is open: {owner}.",
            f"Close it there; if nobody has it open any more, delete {owner.file.name} beside it.",
        )
