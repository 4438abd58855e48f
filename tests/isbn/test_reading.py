import datetime as dt

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from stdnum import isbn as stdnum_isbn

from batchbook.isbn.reading import parse_cell, parse_text
from batchbook.tables.kinds import ErrorValue, Wrong
from batchbook.xlsx.values import Formula, Link
from tests.isbn.helpers import isbns, own_check_digit, own_isbn10

DASHES = [
    "-",
    "\N{HYPHEN}",
    "\N{NON-BREAKING HYPHEN}",
    "\N{EN DASH}",
    "\N{EM DASH}",
    "\N{MINUS SIGN}",
    "\N{SOFT HYPHEN}",
]
BLANKS = [" ", "\N{NO-BREAK SPACE}", "\N{THIN SPACE}", "\t", "\N{ZERO WIDTH SPACE}", "\N{BYTE ORDER MARK}"]
LABELS = ["", "ISBN ", "isbn:", "ISBN-13: ", "ISBN 13: ", "ISBN13 ", "eISBN ", "e-ISBN: ", "URN:ISBN:", "ISBN. "]
DIGITS = ["0123456789", "０１２３４５６７８９", "٠١٢٣٤٥٦٧٨٩"]
NUMBER, TEN = "9781608880003", "1608880001"
OTHER = "9780471117094"

tens = isbns.filter(lambda isbn: isbn.startswith("978")).map(lambda isbn: (own_isbn10(int(isbn[:12])), isbn))


def refused(value, shown=None):
    """Rule and reason of a cell that is refused."""
    with pytest.raises(Wrong) as caught:
        parse_cell(value, str(value) if shown is None else shown)
    if isinstance(value, str):
        with pytest.raises(Wrong) as again:
            parse_text(value)
        assert again.value.said == caught.value.said
    assert len(caught.value.said) < 300
    return caught.value.rule, caught.value.said


@st.composite
def dressed(draw, digits):
    """A number as people write it: dashes and blanks between the digits, a label before."""
    script = draw(st.sampled_from(DIGITS))
    between = st.sampled_from(["", "", *DASHES, *BLANKS])
    text = "".join((script[int(c)] if c.isdigit() else c) + draw(between) for c in digits)
    return draw(st.sampled_from([*BLANKS, "", "'"])) + draw(st.sampled_from(LABELS)) + text


@given(st.data(), isbns)
def test_thirteen_digits_are_read_however_they_are_dressed(data, isbn):
    assert parse_text(data.draw(dressed(isbn))) == isbn


@given(st.data(), tens)
def test_ten_digits_become_thirteen_however_they_are_dressed(data, both):
    ten, isbn = both
    text = data.draw(dressed(ten))
    assert parse_text(text.lower() if data.draw(st.booleans()) else text) == isbn


@given(isbns, st.integers(0, 9))
def test_only_the_right_check_digit_is_taken_and_the_right_one_is_told(isbn, digit):
    text = isbn[:12] + str(digit)
    if text == isbn:
        assert parse_text(text) == isbn
        assert stdnum_isbn.is_valid(text)
    else:
        assert not stdnum_isbn.is_valid(text)
        rule, said = refused(text)
        assert rule == "check-digit"
        assert said.endswith(f"want {own_check_digit(int(isbn[:12]))}, as in {isbn}")


@given(tens, st.sampled_from("0123456789X"))
def test_only_the_right_check_digit_of_ten_digits_is_taken(both, last):
    ten, isbn = both
    if ten[-1] == last:
        assert parse_text(ten) == isbn
    else:
        rule, said = refused(ten[:9] + last)
        assert rule == "check-digit"
        assert said.endswith(f"as in {ten}")


@given(isbns, st.integers(0, 11))
def test_two_neighbouring_digits_that_were_swapped_are_taken_only_where_the_check_digit_cannot_tell(isbn, at):
    swapped = isbn[:at] + isbn[at + 1] + isbn[at] + isbn[at + 2 :]
    assume(swapped[:3] in ("978", "979") and not swapped.startswith("9790"))
    if abs(int(isbn[at]) - int(isbn[at + 1])) in (0, 5):
        assert parse_text(swapped) == swapped
    else:
        assert refused(swapped)[0] == "check-digit"


@given(st.text(max_size=60) | st.text(alphabet="0123456789-X ISBNM.,E+()'\"=/\n", max_size=60))
@example("ISBN" * 15)
@example("²" * 13)
def test_whatever_text_is_read_gives_a_right_number_or_a_rule(text):
    try:
        isbn = parse_text(text)
    except Wrong as wrong:
        assert wrong.rule
        assert len(wrong.said) < 300
    else:
        assert len(isbn) == 13
        assert isbn.isascii()
        assert stdnum_isbn.is_valid(isbn)
        assert isbn[12] == own_check_digit(int(isbn[:12]))


@given(isbns, st.sampled_from(["9.78E+12", "9780000000000", ""]))
def test_a_number_cell_counts_with_all_its_digits_whatever_it_shows(isbn, shown):
    assume(not isbn.endswith("0" * 6))
    assert parse_cell(int(isbn), shown) == isbn
    assert parse_cell(float(isbn), shown) == isbn


@given(tens)
def test_a_number_cell_that_lost_the_zero_in_front_gets_it_back_where_the_check_digit_agrees(both):
    ten, _ = both
    nine = "0" + ten[1:9]
    isbn = "978" + nine + own_check_digit(int("978" + nine))
    whole = own_isbn10(int(isbn[:12]))
    assume(whole[-1] != "X" and whole[1] != "0")
    assert parse_cell(int(whole), whole[1:]) == isbn
    assert parse_text(whole[1:]) == isbn
    wrong = whole[1:9] + str((int(whole[9]) + 1) % 10)
    rule, said = refused(int(wrong))
    assert rule == "zeros-lost"
    assert "0" + wrong in said


def test_more_lost_zeros_are_not_put_back_but_told():
    assert stdnum_isbn.is_valid("0007136595")
    rule, said = refused(7136595)
    assert rule == "zeros-lost"
    assert "0007136595" in said
    rule, said = refused(7136596)
    assert rule == "zeros-lost"
    assert "0007136596" not in said
    assert refused("7136595")[0] == "digit-count"


@pytest.mark.parametrize(
    "text", ["9.78E+12", "9,78E+12", "9.78161e+12", "9.78160888E12", "9E+12", "9.7816088800031E+12"]
)
def test_a_text_with_an_exponent_has_lost_digits(text):
    rule, said = refused(text)
    assert rule == "digits-lost"
    assert "text" in said


def test_a_text_with_an_exponent_that_has_all_digits_is_read():
    assert parse_text("9.781608880003E+12") == NUMBER
    assert refused("9.781608880004E+12")[0] == "check-digit"


@given(isbns, st.integers(0, 7))
def test_a_number_cell_that_came_from_a_text_with_an_exponent_has_lost_digits(isbn, places):
    value = float(f"{float(isbn):.{places}E}")
    assume(places < 7 or not stdnum_isbn.is_valid(f"{value:.0f}"))
    assert refused(value, "9.78E+12")[0] == "digits-lost"
    assert refused(int(value), "9.78E+12")[0] == "digits-lost"


def test_a_number_that_ends_in_zeros_by_right_is_read_from_text():
    isbn = "9780190000" + "00"
    isbn += own_check_digit(int(isbn))
    zeros = next(
        f"{core:012d}0" for core in range(978_10_0000000, 978_99_0000000, 10**7) if own_check_digit(core) == "0"
    )
    assert zeros.endswith("0" * 8)
    assert parse_text(zeros) == zeros
    assert refused(int(zeros))[0] == "digits-lost"
    assert parse_cell(int(isbn), isbn) == isbn


@pytest.mark.parametrize(
    "text", ["9781608880003.0", "9781608880003.00", "9781608880003,0", "1608880001.0", '="9781608880003"', "'" + NUMBER]
)
def test_texts_that_programs_make_of_numbers_are_read(text):
    assert parse_text(text) == NUMBER


def test_a_float_text_of_nine_digits_is_read_with_its_zero():
    assert stdnum_isbn.is_valid("0471117099")
    assert parse_text("471117099.0") == OTHER


@pytest.mark.parametrize(
    "text",
    [
        "978-1-60888-000-3 (pbk)",
        "978-1-60888-000-3 paperback",
        "978-1-60888-000-3, cloth",
        "1-60888-000-1 : £9.99",
        "pbk: 978-1-60888-000-3",
        "978-1-60888-000-3\n2nd edition",
        "978-1-60888-000-3 / 1-60888-000-1",
    ],
)
def test_a_note_beside_the_number_is_refused_and_the_number_named(text):
    rule, said = refused(text)
    assert rule == "note-with-number"
    assert NUMBER in said


def test_a_note_does_not_hide_what_is_wrong_with_the_number():
    assert refused("978-1-60888-000-4 (pbk)")[0] == "check-digit"
    assert refused("979-0-2306-7118-7 (score)")[0] == "ismn"
    assert refused("phone 0123456788")[0] == "characters"


@pytest.mark.parametrize("between", [" ", " / ", ", ", "; ", "\n", " (pbk) ", " ISBN "])
@given(isbns, isbns)
def test_two_numbers_in_a_cell_are_refused_and_named(between, one, other):
    assume(one != other)
    rule, said = refused(one + between + other)
    assert rule == "two-isbns"
    assert one in said
    assert other in said


@given(isbns)
def test_a_digit_too_few_or_too_many_is_a_wrong_count(isbn):
    for text in (isbn[:12], isbn + "1", isbn[:11], "9" * 60):
        rule, said = refused(text)
        assert rule == "digit-count"
        assert f"{len(text)} digits" in said
    assert refused(int(isbn[:12]))[0] == "digit-count"
    assert refused(int(isbn + "1"))[0] == "digit-count"
    assert refused(12)[0] == "digit-count"


@pytest.mark.parametrize(
    "text",
    [
        "979-0-2306-7118-7",
        "9790230671187",
        "979-0-2306-7118-8",
        "M-2306-7118-7",
        "M 2306 7118 7",
        "ISMN 979-0-2306-7118-7",
    ],
)
def test_music_is_refused_by_name(text):
    rule, said = refused(text)
    assert rule == "ismn"
    assert "music" in said
    assert refused(9790230671187)[0] == "ismn"


@pytest.mark.parametrize("text", ["5901234123457", "9771234567898"])
def test_numbers_of_other_articles_are_refused(text):
    rule, said = refused(text)
    assert rule == "ean-prefix"
    assert text[:3] in said
    assert refused(int(text))[0] == "ean-prefix"


@pytest.mark.parametrize(
    "text",
    [
        "abc",
        "ISBN",
        "tbd",
        "n/a",
        "978-1-60888-OOO-3",
        "978.1.60888.000.3",
        "978_1608880003",
        "X608880001",
        "978160888000²",
        "#N/A",
    ],
)
def test_letters_and_other_characters_are_refused(text):
    assert refused(text)[0] == "characters"


@pytest.mark.parametrize("value", [9781608880003.5, -9781608880003, -1.0, float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_whole_are_refused(value):
    assert refused(value)[0] == "fraction"


@pytest.mark.parametrize(
    "value",
    [True, False, dt.datetime(2026, 1, 4), dt.date(2026, 1, 4), dt.time(1), dt.timedelta(1), ErrorValue("#N/A")],
)
def test_cells_of_other_kinds_are_refused(value):
    assert refused(value)[0] == "cell-type"


def test_a_formula_or_link_counts_with_what_it_shows():
    assert parse_cell(Formula("A1", NUMBER), NUMBER) == NUMBER
    assert parse_cell(Link("https://example.org/", NUMBER), NUMBER) == NUMBER


def test_a_megabyte_in_a_cell_is_refused_without_being_looked_into():
    rule, said = refused("978-1-60888-000-3 " * 60_000)
    assert rule == "digit-count"
    assert "1,080,000 characters" in said
