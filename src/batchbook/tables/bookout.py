"""New workbooks on their way into a file: openpyxl's archives, and what it leaves in the temporary folder."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openpyxl import Workbook

PROPERTIES = "docProps/core.xml"
"""The part that says who made a workbook, and what it is about."""
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_FOR_ALL_TO_READ = 0o644 << 16


class _Timeless(zipfile.ZipFile):
    """An archive whose members say nothing of when and where they were made: the same content gives the same bytes."""

    def writestr(self, zinfo_or_arcname: zipfile.ZipInfo | str, data: Any, *more: Any, **others: Any) -> None:
        named = zinfo_or_arcname
        super().writestr(_info(named) if isinstance(named, str) else named, data, *more, **others)

    def write(self, filename: str | PathLike[str], arcname: str | PathLike[str] | None = None, *_: Any) -> None:
        with Path(filename).open("rb") as source, self.open(_info(str(arcname or filename)), "w") as target:
            shutil.copyfileobj(source, target)


class _Sealed(_Timeless):
    """One whose properties come last, so that they can tell of all else."""

    def writestr(self, zinfo_or_arcname: zipfile.ZipInfo | str, data: Any, *more: Any, **others: Any) -> None:
        if zinfo_or_arcname != PROPERTIES:
            super().writestr(zinfo_or_arcname, data, *more, **others)

    def write_properties(self, properties: Any) -> None:
        """Write what was held back."""
        from openpyxl.xml.functions import tostring

        super().writestr(PROPERTIES, tostring(properties.to_tree()))


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EARLIEST)
    info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, _FOR_ALL_TO_READ
    return info


def save_book(book: Workbook, stream: IO[bytes], *, seal: Callable[[zipfile.ZipFile], str] | None = None) -> None:
    """Write an openpyxl workbook to a stream; the same bytes at every time for the same workbook.

    seal: makes a text of all parts but the properties, which becomes the identifier there. Not `Workbook.save`: where
    the disk is full that leaves an archive behind which complains when it is closed.
    """
    from openpyxl.writer.excel import ExcelWriter

    if seal is None:
        with _Timeless(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            ExcelWriter(book, archive).write_data()
        return
    with _Sealed(stream, "w", zipfile.ZIP_DEFLATED) as sealed:
        ExcelWriter(book, sealed).write_data()
        book.properties.identifier = seal(sealed)
        sealed.write_properties(book.properties)


def discard_sheets(book: Workbook) -> None:
    """Remove the temporary files of sheets that were not finished; of a book that was saved there are none."""
    for page in book.worksheets:
        writer = getattr(page, "_writer", None)
        if writer is None:
            continue
        if not getattr(page, "closed", True):
            page.close()
        if Path(writer.out).exists():
            writer.cleanup()
