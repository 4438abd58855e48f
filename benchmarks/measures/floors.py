"""The least that each case can take on this machine: the steps that no engine can leave out, and nothing else."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from batchbook.xlsx.codec import crc32, deflater, inflater
from batchbook.xlsx.container import CHUNK, Container, Entry
from measures import shape
from measures.timing import figures, repeated, warm

ROW_END = re.compile(rb"</row>")
COPY = 1 << 20


def inflated(container: Container, entry: Entry) -> Iterator[bytes]:
    """The content of a part, unchecked."""
    engine = inflater()
    for raw in container.packed(entry):
        rest = raw
        while rest and not engine.eof:
            yield engine.decompress(rest, CHUNK)
            rest = engine.unconsumed_tail
    while not engine.eof:
        yield engine.decompress(b"", CHUNK)


def sheet_of(container: Container) -> Entry:
    """The largest sheet."""
    sheets = (entry for entry in container.entries if entry.name.startswith("xl/worksheets/sheet"))
    return max(sheets, key=lambda entry: entry.size)


def update(source: Path, target: Path, repeat: int) -> dict[str, Any]:
    """The sheet inflated, deflated and summed up, the other parts copied as they are packed, written durably."""
    warm(source)

    def once() -> None:
        container = Container(source)
        sheet = sheet_of(container)
        temporary = target.with_name(f".{target.name}.tmp")
        with temporary.open("wb", buffering=COPY) as out:
            for entry in container.entries:
                if entry is not sheet:
                    out.writelines(container.packed(entry))
            engine, crc = deflater(), 0
            for piece in inflated(container, sheet):
                crc = crc32(piece, crc)
                out.write(engine.compress(piece))
            out.write(engine.flush())
            out.flush()
            os.fsync(out.fileno())
        container.close()
        temporary.replace(target)
        sync_folder(target.parent)

    return figures(repeated(once, repeat))


def save(source: Path, folder: Path, rows: int, batch: int, repeat: int) -> dict[str, Any]:
    """A copy of the file, and one after the other what has to be on the disk: the copy, the old file's second name,
    the intent with the bytes of the changes, the replace, the record that it took place.
    """
    record = "".join(2 * shape.written(row, 0) for row in shape.batch_rows(rows, batch, 0)).encode()
    backups = folder / "backups"
    backups.mkdir(parents=True)
    workbook, temporary = folder / "book.xlsx", folder / ".book.xlsx.tmp"
    shutil.copyfile(source, workbook)
    with (folder / "ledger").open("wb", buffering=0) as ledger:

        def once() -> None:
            with workbook.open("rb") as old, temporary.open("wb", buffering=0) as new:
                while piece := old.read(COPY):
                    new.write(piece)
                os.fsync(new.fileno())
            backup = backups / str(ledger.tell())
            os.link(workbook, backup)
            sync_folder(backups)
            log(record)
            temporary.replace(workbook)
            sync_folder(folder)
            log(record)
            backup.unlink()

        def log(data: bytes) -> None:
            ledger.write(data)
            os.fsync(ledger.fileno())

        return figures(repeated(once, repeat))


def sync_folder(folder: Path) -> None:
    """Have a folder's entries on the disk."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read(source: Path, rows: int, repeat: int) -> dict[str, Any]:
    """The sheet inflated, and the places found where its rows end."""
    warm(source)
    counted: list[int] = []

    def once() -> None:
        container = Container(source)
        count, rest = 0, b""
        for piece in inflated(container, sheet_of(container)):
            text = rest + piece
            ends = [found.end() for found in ROW_END.finditer(text)]
            count += len(ends)
            rest = text[ends[-1] :] if ends else text
        container.close()
        counted.append(count)

    watch = repeated(once, repeat)
    done = figures(watch)
    assert set(counted) == {rows + 1}, counted
    return done
