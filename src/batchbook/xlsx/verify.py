"""A workbook checked by reading it again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.parsers import expat

from batchbook.errors import Finding, WorkbookDamaged, WorkbookError
from batchbook.xlsx.blocks import Block, inflated
from batchbook.xlsx.book import Book
from batchbook.xlsx.codec import crc32
from batchbook.xlsx.container import Container, Entry
from batchbook.xlsx.splice import SpliceReceipt, known_sound
from batchbook.xlsx.xmltext import Recoder, refuse_doctype


def verify(path: Path | str, receipt: SpliceReceipt, *, full: bool) -> None:
    """Check that a file is what a splice wrote: its directory, the rewritten parts (with `full` all parts), their XML.

    Without `full`, XML that was checked before this splice is not parsed again; its checksum is checked all the same.
    What was found to be well-formed while it was written is not parsed a second time either.
    Of a sheet that was saved by blocks, those that were written anew are read then; the others were checked while
    they were copied.

    Raises WorkbookDamaged where it is not.
    """
    container = Container(Path(path))
    try:
        if container.digest != receipt.digest:
            raise WorkbookDamaged(f"{container.path.name} is not what was written into it.", "Try again.")
        written = {*receipt.rewritten, *receipt.added}
        for entry in container.entries:
            if entry.name in written:
                if not full and entry.name in receipt.redone:
                    check_blocks(container, entry, receipt.redone[entry.name])
                elif entry.name in receipt.parsed or not (full or entry.name not in receipt.sound):
                    check_content(container, entry)
                else:
                    check_xml(container, entry)
                known_sound.add(receipt.digest, entry.name)
            elif full:
                check_content(container, entry)
    finally:
        container.close()


def check_whole(path: Path | str) -> None:
    """Open a workbook and read every part of it to its end. Raises WorkbookDamaged."""
    with Book.open(path) as book:
        for entry in book.container.entries:
            check_content(book.container, entry)


def check_content(container: Container, entry: Entry) -> None:
    """Read a part to its end, which checks its length and checksum. Raises WorkbookDamaged."""
    with container.in_part(entry.name):
        for _ in container.stream(entry):
            pass


def check_blocks(container: Container, entry: Entry, redone: Iterable[tuple[int, Block]]) -> None:
    """Read some blocks of a part, given with their places in the archive. Raises WorkbookDamaged."""
    damaged = container.damaged(f"a block of the part {entry.name[:200]!r} is not what was written")
    for at, block in redone:
        packed = container.read_at(at, block.packed)
        if crc32(packed) != block.packed_crc:
            raise damaged
        inflated(packed, block, damaged)


def check_xml(container: Container, entry: Entry) -> None:
    """Read a part to its end and check that it is well-formed XML. Raises WorkbookDamaged."""
    try:
        with container.in_part(entry.name):
            _parse(container.stream(entry))
    except expat.ExpatError as error:
        raise WorkbookDamaged(
            f"{container.path.name} is damaged: the part {entry.name[:200]!r} is not well-formed XML ({error}).",
            "Open it in Excel or LibreOffice and save it again, or restore a backup.",
        ) from error


def _parse(pieces: Iterable[bytes]) -> None:
    parser, recoder = None, None
    for piece in pieces:
        if parser is None:
            recoder = Recoder(piece[:1024])
            # With namespaces: a prefix that nobody declared makes a file that no office program opens.
            parser = expat.ParserCreate(None if recoder.plain else "utf-8", " ")
            parser.StartDoctypeDeclHandler = refuse_doctype
        assert recoder is not None
        parser.Parse(recoder.decode(piece), False)
    if parser is not None and recoder is not None:
        parser.Parse(recoder.decode(b"", True), True)
    else:
        raise expat.ExpatError("it is empty")


def inspect(path: Path | str) -> list[Finding]:
    """Everything that is wrong with a workbook, as far as reading it can tell."""
    try:
        book = Book.open(path)
    except WorkbookError as error:
        return [Finding(str(error), file=Path(path).name)]
    with book:
        return list(_findings(book))


def _findings(book: Book) -> Iterator[Finding]:
    name = book.path.name
    broken = set()
    for entry in book.container.entries:
        try:
            if entry.name.lower().endswith((".xml", ".rels", ".vml")) and entry.size:
                check_xml(book.container, entry)
            else:
                check_content(book.container, entry)
        except WorkbookError as error:
            broken.add(entry.name)
            yield Finding(str(error), file=name)
    yield from _missing_targets(book, broken)
    for sheet in book.sheets:
        if sheet.part in broken:
            continue
        try:
            for _ in book.rows(sheet.name):
                pass
            if not book.layout(sheet.name).ordered:
                yield Finding("its rows do not ascend", file=name, sheet=sheet.name)
        except WorkbookError as error:
            yield Finding(str(error), file=name, sheet=sheet.name)


def _missing_targets(book: Book, broken: set[str]) -> Iterator[Finding]:
    for entry in book.container.entries:
        folder, mark, leaf = entry.name.rpartition("_rels/")
        if not mark or not leaf.endswith(".rels") or entry.name in broken:
            continue
        source = folder + leaf.removesuffix(".rels")
        for link in book.package.relationships(source):
            if not link.external and link.target and book.package.find(link.target) is None:
                yield Finding(f"{entry.name} links to {link.target[:200]!r}, which is not there", file=book.path.name)
