"""The workbooks that are measured, made as Excel saves them, once per size, in a folder for later runs."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from measures.parts import HEAD, HEADER_STYLE, MAIN, STYLE_OF, fixed_parts, sheet_head, sheet_tail
from measures.shape import COLUMNS, FORMULAS

HERE = Path(__file__).parent
STAMP = (2026, 1, 1, 0, 0, 0)
CHUNK = 2000
GROUPS = [f"Group {n}" for n in range(40)]
COUNTRIES = [f"Country {n}" for n in range(40)]
RESULTS = [f"result {n} & more" for n in range(100)]
ADVICE = [f"Look at it again within {n} days." for n in range(60)]
SOURCES = [f"https://example.org/source/{n}?page=1" for n in range(500)]
NOTES = [f"Note {n}: what somebody wrote about this order, at some length" for n in range(1000)]
REMARKS = [f"remark {n}" for n in range(50)]
LISTS = (GROUPS, COUNTRIES, RESULTS, ADVICE, SOURCES, NOTES, REMARKS)
FIRST_DAY = 44_000
"""A day in 2020, as a sheet counts them."""


def cached_book(cache: Path, rows: int) -> Path:
    """The workbook of so many rows below its header, made if it is not there."""
    made_by = [HERE / "books.py", HERE / "parts.py", HERE / "shape.py"]
    return cached(cache, f"orders-{rows}", ".xlsx", made_by, lambda path: make_book(path, rows))


def cached(cache: Path, name: str, suffix: str, made_by: Iterable[Path], make: Callable[[Path], object]) -> Path:
    """A file or folder of the cache; its name changes with the modules that make it."""
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    form = hashlib.sha256(b"".join(path.read_bytes() for path in made_by)).hexdigest()[:8]
    target = cache / f"{name}-{form}{suffix}"
    if not target.exists():
        half = cache / f".{os.getpid()}-{target.name}"
        try:
            make(half)
            half.rename(target)
        finally:
            if half.is_dir():
                shutil.rmtree(half)
            half.unlink(missing_ok=True)
    return target


def make_book(path: Path, rows: int) -> None:
    """Write the workbook; its sheet streams."""
    names = names_of(rows)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:

        def put(name: str, pieces: Iterable[str]) -> None:
            info = zipfile.ZipInfo(name, STAMP)
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=False) as part:
                for piece in pieces:
                    part.write(piece.encode())

        for name, content in fixed_parts(rows).items():
            archive.writestr(zipfile.ZipInfo(name, STAMP), content, zipfile.ZIP_DEFLATED)
        put("xl/worksheets/sheet1.xml", chain([sheet_head(rows)], row_pieces(rows, names), [sheet_tail(rows)]))
        put("xl/sharedStrings.xml", shared_strings(rows, names))
        put("xl/calcChain.xml", calculation_chain(rows))


def names_of(rows: int) -> int:
    """How many different names there are: one in four rows has a new one."""
    return rows // 4 + 1


# --- the sheet -----------------------------------------------------------------------------------------------------


def row_pieces(rows: int, names: int) -> Iterator[str]:
    """The rows as XML, some thousand at a time."""
    heads = "".join(f'<c r="{chr(65 + n)}1" s="{HEADER_STYLE}" t="s"><v>{n}</v></c>' for n in range(len(COLUMNS)))
    yield f'<row r="1" spans="1:24" x14ac:dyDescent="0.25">{heads}</row>'
    one_row = row_writer(rows, names)
    for start in range(0, rows, CHUNK):
        yield "".join(one_row(n) for n in range(start, min(start + CHUNK, rows)))


def row_writer(rows: int, names: int) -> Callable[[int], str]:
    """What writes the row of a number, from 0: each cell with its reference, texts by their number."""
    keys = len(COLUMNS)
    called = keys + rows
    firsts = []
    at = called + names
    for words in LISTS:
        firsts.append(at)
        at += len(words)
    group, country, result, advice, source, note, remark = firsts
    day, moment, money, percent, truth = (STYLE_OF[k] for k in ("date", "moment", "money", "percent", "truth"))

    def text(column: str, row: int, number: int) -> str:
        return f'<c r="{column}{row}" t="s"><v>{number}</v></c>'

    def one_row(n: int) -> str:
        r, quantity, price = n + 2, n * 37 % 1000, n * 13 % 9973 / 100
        large, paid = int(quantity > 500), n % 3 % 2
        return (
            f'<row r="{r}" spans="1:24" x14ac:dyDescent="0.25">{text("A", r, keys + n)}'
            f"{text('B', r, called + n * 7 % names)}{text('C', r, group + n % 40)}{text('D', r, country + n // 3 % 40)}"
            f'<c r="E{r}"><v>{quantity}</v></c><c r="F{r}" s="{money}"><v>{price}</v></c>'
            f'<c r="G{r}" s="{day}"><v>{FIRST_DAY + n % 2000}</v></c>'
            f'<c r="H{r}" s="{moment}"><v>{FIRST_DAY + n % 2000 + n % 96 / 96}</v></c>'
            f'<c r="I{r}" s="{truth}" t="b"><v>{n % 2}</v></c>'
            f'<c r="J{r}" s="{money}"><f>E{r}*F{r}</f><v>{quantity * price}</v></c>'
            f'<c r="K{r}" t="str"><f>C{r}&amp;" "&amp;E{r}</f><v>Group {n % 40} {quantity}</v></c>'
            f"{text('L', r, result + n % 100)}{text('M', r, advice + n % 60)}{text('N', r, source + n % 500)}"
            f'<c r="O{r}"><v>{n % 1000}</v></c><c r="P{r}" s="{percent}"><v>{n % 97 / 97}</v></c>'
            f'<c r="Q{r}"><v>{n}</v></c><c r="R{r}" s="{truth}" t="b"><v>{paid}</v></c>'
            f'<c r="S{r}" s="{day}"><v>{FIRST_DAY + 30 + n % 2000}</v></c>'
            f'<c r="T{r}" s="{truth}" t="b"><f>E{r}&gt;500</f><v>{large}</v></c>'
            f'<c r="U{r}" s="{percent}"><v>{n % 20 / 100}</v></c>{text("V", r, note + n % 1000)}'
            f'<c r="W{r}"><v>{n * 11 % 5000}</v></c>{text("X", r, remark + n % 50)}</row>'
        )

    return one_row


# --- what goes with it ---------------------------------------------------------------------------------------------


def shared_strings(rows: int, names: int) -> Iterator[str]:
    """The texts, in the order in which the rows count them."""
    different = len(COLUMNS) + rows + names + sum(map(len, LISTS))
    uses = len(COLUMNS) + rows * 9
    yield f'{HEAD}<sst xmlns="{MAIN}" count="{uses}" uniqueCount="{different}">'
    yield strings(name for name, _ in COLUMNS)
    for start in range(0, rows, CHUNK):
        yield strings(f"K{n:07d}" for n in range(start, min(start + CHUNK, rows)))
    for start in range(0, names, CHUNK):
        yield strings(f"The order of customer {n}" for n in range(start, min(start + CHUNK, names)))
    for words in LISTS:
        yield strings(words)
    yield "</sst>"


def strings(texts: Iterable[str]) -> str:
    return "".join(f"<si><t>{text.replace('&', '&amp;')}</t></si>" for text in texts)


def calculation_chain(rows: int) -> Iterator[str]:
    """Every cell with a formula, as Excel lists them."""
    yield f'{HEAD}<calcChain xmlns="{MAIN}">'
    for row in range(2, rows + 2):
        yield "".join(f'<c r="{column}{row}" i="1"/>' for column in FORMULAS)
    yield "</calcChain>"
