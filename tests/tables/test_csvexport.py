import csv
import datetime as dt
import errno
import shutil
import stat
import subprocess
import tracemalloc
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook.errors import SaveFailed, UsageError
from batchbook.storage import files
from batchbook.tables.csvexport import csv_target, field, safe_text, write_csv
from batchbook.xlsx import ErrorValue, Formula, Link
from tests.storage.helpers import Crash, FaultyOperations, make_workbook, names

SOFFICE = shutil.which("soffice") or shutil.which("libreoffice")

WIDE = "＝＋－＠"
# Half a surrogate pair is no character, and no workbook can hold it.
letters = st.characters(exclude_categories=["Cs"])
texts = st.one_of(
    st.text(letters),
    st.builds(str.__add__, st.sampled_from([*WIDE, *"=+-@\t\r\n'", " =", "\u00a0@", "\n +", "'="]), st.text(letters)),
)
numbers = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
TEXT_VALUES = st.one_of(
    texts, st.builds(Link, texts, texts), texts.map(ErrorValue), st.builds(Formula, texts, texts)
)  # fmt: skip


def read(path):
    with path.open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.reader(opened))


def without_prefix(found):
    """What a text was, by the rule: the apostrophe is the export's where what follows is dangerous."""
    return found[1:] if found[:1] == "'" and is_dangerous(found[1:]) else found


def is_dangerous(text):
    return text[:1] in set("\t\r\n") or text.strip()[:1] in set("=+-@" + WIDE)


# --- what a field becomes ---------------------------------------------------------------------------------------------


@given(st.lists(st.lists(TEXT_VALUES, min_size=2, max_size=2), max_size=4), texts, texts)
def test_no_text_field_of_any_row_begins_like_a_formula(tmp_path_factory, rows, one, other):
    path = tmp_path_factory.mktemp("csv") / "out.csv"
    assert write_csv(path, [one, other], rows) == len(rows)
    found = read(path)
    assert len(found) == len(rows) + 1
    for line in found:
        assert len(line) == 2
        assert not any(text.startswith(tuple("=+-@\t\r\n＝＋－＠")) for text in line)
        assert not any(text.lstrip().startswith(tuple("=+-@＝＋－＠")) for text in line)


@given(st.lists(texts, min_size=1, max_size=5))
def test_every_text_reads_back_but_for_the_prefix(tmp_path_factory, row):
    path = tmp_path_factory.mktemp("csv") / "out.csv"
    write_csv(path, ["a"] * len(row), [row])
    (found,) = read(path)[1:]
    for text, shown in zip(row, found, strict=True):
        assert shown == ("'" + text if is_dangerous(text) else text)
        assert without_prefix(shown) == text or text.startswith("'")


@given(st.lists(numbers, min_size=1, max_size=5))
def test_every_number_reads_back_unchanged_and_unquoted(tmp_path_factory, row):
    path = tmp_path_factory.mktemp("csv") / "out.csv"
    write_csv(path, ["n"] * len(row), [row])
    line = path.read_text(encoding="utf-8-sig").splitlines()[1]
    assert '"' not in line
    assert "'" not in line
    assert [type(number)(text) for number, text in zip(row, line.split(","), strict=True)] == row


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-5, "-5"),
        (-0.5, "-0.5"),
        (Decimal("-1.25"), "-1.25"),
        ("-5", "'-5"),
        ("a=1", "a=1"),
        (" =1+1", "' =1+1"),
        ("＝1+1", "'＝1+1"),
        ("'=1", "'=1"),
        (True, "TRUE"),
        (None, ""),
        (dt.datetime(2026, 3, 1, 12, 5), "2026-03-01 12:05:00"),
        (dt.datetime(2026, 3, 1, 12, 5, 0, 250_000), "2026-03-01 12:05:00.250"),
        (dt.datetime(2026, 3, 1), "2026-03-01"),
        (dt.date(2026, 3, 1), "2026-03-01"),
        (dt.time(7, 30), "07:30:00"),
        (dt.timedelta(hours=26, minutes=3, seconds=4.5), "26:03:04.500"),
        (-dt.timedelta(hours=1), "-1:00:00"),
        (Link("https://example.org", "site"), "site (https://example.org)"),
        (Link("=cmd", "=cmd"), "'=cmd"),
        (ErrorValue("#N/A"), "#N/A"),
        (Formula("A1+1", "2"), "'=A1+1"),
        (Formula("", "@x"), "'@x"),
    ],
)
def test_each_kind_of_value_is_shown_as_excel_reads_it(value, expected):
    assert str(field(value)) == expected


def test_secrets_are_hidden(monkeypatch):
    monkeypatch.setattr("batchbook.tables.csvexport.hide", lambda text: text.replace("hunter22", "***"))
    assert safe_text("=hunter22") == "'=***"
    assert field("hunter22") == "***"


# --- the file ---------------------------------------------------------------------------------------------------------


def test_the_file_begins_with_a_mark_and_quotes_texts_alone(tmp_path):
    path = tmp_path / "out.csv"
    write_csv(path, ["né", "n"], [['say "=1"; a,b\nc', 2], [None, -1.5]])
    assert path.read_bytes() == b'\xef\xbb\xbf"n\xc3\xa9","n"\r\n"say ""=1""; a,b\nc",2\r\n"",-1.5\r\n'


def test_it_takes_the_place_of_an_older_one_with_its_permissions_and_follows_links(tmp_path):
    path, link = tmp_path / "out.CSV", tmp_path / "link.csv"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    write_csv(link, ["a"], [])
    assert link.is_symlink()
    assert read(path) == [["a"]]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert names(tmp_path) == {"out.CSV", "link.csv"}


def test_what_is_no_csv_file_is_refused_with_advice_and_left_as_it_is(tmp_path):
    book = make_workbook(tmp_path / "book.xlsx")
    make_workbook(tmp_path / "disguised.csv")
    (tmp_path / "link.csv").symlink_to(book)
    (tmp_path / "folder.csv").mkdir()
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    refused = ["book.xlsx", "out.txt", "out", ".csv", "link.csv", "disguised.csv", "folder.csv", "none/out.csv"]
    for name in refused:
        with pytest.raises(UsageError) as caught:
            write_csv(tmp_path / name, ["a"], [["b"]])
        assert caught.value.advice
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert csv_target(tmp_path / "out.csv") == tmp_path / "out.csv"


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EACCES, Crash, KeyboardInterrupt])
def test_whatever_operation_fails_the_file_is_the_old_one_or_the_new_one(tmp_path, monkeypatch, fault):
    path = tmp_path / "out.csv"
    rows = [[f"text {n}", n] for n in range(100_000)]  # more than one write
    write_csv(path, ["a", "b"], rows)
    whole = path.read_bytes()
    for k in range(1, 50):
        path.write_bytes(b"old")
        broken = FaultyOperations(k, fault)
        monkeypatch.setattr(files, "ops", broken)
        try:
            write_csv(path, ["a", "b"], rows)
        except SaveFailed as error:
            assert error.advice
            assert path.read_bytes() == (whole if "was written, but" in error.what else b"old")
        except (Crash, KeyboardInterrupt):
            assert path.read_bytes() in (b"old", whole)
        else:
            assert path.read_bytes() == whole
        finally:
            monkeypatch.setattr(files, "ops", broken.real)
        if fault is not Crash:
            assert names(tmp_path) == {"out.csv"}
        if broken.count < k:
            assert k > 6
            return
    raise AssertionError("there were always more operations")


def test_rows_that_cannot_be_read_to_their_end_leave_the_old_file(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")

    def rows():
        yield ["a"]
        raise UsageError("no more")

    with pytest.raises(UsageError):
        write_csv(path, ["a"], rows())
    assert path.read_text() == "old"
    assert names(tmp_path) == {"out.csv"}


def test_memory_does_not_grow_with_the_number_of_rows(tmp_path):
    def most(count):
        tracemalloc.start()
        try:
            write_csv(tmp_path / "out.csv", ["a", "b"], ((f"=text {n}", n) for n in range(count)))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    most(10)
    small, large = most(5_000), most(100_000)
    assert large < small + 1_000_000
    assert (tmp_path / "out.csv").stat().st_size > 2 * 1_000_000


def opened_in_libreoffice(path):
    """The content as LibreOffice takes it with everything on that a person can click: formulas are calculated."""
    subprocess.run(
        [SOFFICE, "--headless", f"-env:UserInstallation={(path.parent / 'profile').as_uri()}",
         "--infilter=Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1,true",
         "--convert-to", "fods", "--outdir", str(path.parent / "out"), str(path)],
        check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    return (path.parent / "out" / f"{path.stem}.fods").read_text(encoding="utf-8").replace("&apos;", "'")


@pytest.mark.libreoffice
@pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed")
def test_libreoffice_shows_texts_that_look_like_formulas_and_calculates_none(tmp_path):
    texts = ["=1+1", "@SUM(1)", "+1+1", "-1+1", "\t=1+1", " =1+1", "＝1+1", "=HYPERLINK(1)", 'a,"=1+1"', "x\n=1+1"]
    safe, plain = tmp_path / "safe.csv", tmp_path / "plain.csv"
    write_csv(safe, ["=1+1", "n"], [[text, -5] for text in texts])
    with plain.open("w", newline="") as opened:
        csv.writer(opened, quoting=csv.QUOTE_NONNUMERIC).writerow(["=1+1"])
    assert "table:formula=" in opened_in_libreoffice(plain)  # it does calculate what is not prefixed
    content = opened_in_libreoffice(safe)
    assert "table:formula=" not in content
    assert content.count('office:value="-5"') == len(texts)
    for text in ("=1+1", "@SUM(1)"):
        assert f"<text:p>'{text}</text:p>" in content
