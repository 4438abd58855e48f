"""Reading ISBNs as people leave them in cells and files.

Whatever is in the cell, the digits are either all there and right, or the reason why not is told by name. A number is
never guessed: only the leading zero that a number cell cannot hold is put back, and the check digit has to confirm it.

The rules that a cell can break: ``characters``, ``digit-count``, ``check-digit``, ``ean-prefix``, ``ismn``,
``digits-lost``, ``zeros-lost``, ``note-with-number``, ``two-isbns``, ``fraction``, ``cell-type``.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final, NoReturn

from stdnum import ean
from stdnum import isbn as stdnum_isbn

from batchbook.tables.kinds import CellValue, ErrorValue, Wrong

MOST_CHARACTERS: Final = 200
"""Longer texts are not looked into: an ISBN with its label and a note is shorter."""
_LABEL: Final = re.compile(r"(?:urn:)?\s*[ep]?-?isbn(?:[- ]?1[03](?=[\s:.]))?\s*[:.]?\s*", re.IGNORECASE)
_MUSIC: Final = re.compile(r"ismn|m[- ]?\d", re.IGNORECASE)
_SCIENTIFIC: Final = re.compile(r"(\d)(?:[.,](\d*))?e\+?(\d{1,3})", re.IGNORECASE | re.ASCII)
_AS_FLOAT: Final = re.compile(r"(\d{9,13})[.,]0+", re.ASCII)
_DIGITS: Final = re.compile(r"\d{9,10}|\d{9}X|\d{13}", re.ASCII)
_CANDIDATE: Final = re.compile(
    r"(?<![\dA-Za-z])(?:97[89](?:[- ]?\d){10}|\d(?:[- ]?\d){8}[- ]?[\dXx])(?![\dA-Za-z])", re.ASCII
)
_IS_MUSIC: Final = "is a number for printed music (ISMN), which begins with 979-0 or M; it is no ISBN"
_LOST: Final = (
    "a program wrote it as 9.78E+12 or the like and lost digits. Take the number from its source and type it as text"
    " with hyphens"
)
_SAFE_ZEROS: Final = 4
"""So many zeros at the end of a number cell with a wrong check digit are no sign of digits that were lost."""
_SCIENTIFIC_ZEROS: Final = 6
"""A number of 13 digits that was written as 9.781609E+12 (C's %e) or shorter and read back ends in so many zeros.

It is refused even where the last of them happens to be the right check digit, as in one of ten cases.
"""


@lru_cache(maxsize=4096)
def check_digit(twelve: str) -> str:
    """The check digit of the first 12 digits; remembered, for each number is read and written several times."""
    return str(ean.calc_check_digit(twelve))


def parse_text(text: str) -> str:
    """The 13 digits of a text that is one ISBN. Raises Wrong."""
    if _is_plain(digits := text.replace("-", "")):
        return digits
    if len(text) > MOST_CHARACTERS:
        raise Wrong("digit-count", f"has {len(text):,} characters; an ISBN has 13 digits")
    bare = _bare(text)
    float_like = _AS_FLOAT.fullmatch(bare)
    scientific = _SCIENTIFIC.fullmatch(bare)
    if scientific:
        return _of_scientific(*scientific.groups())
    digits = float_like[1] if float_like else _compact(bare)
    if _MUSIC.match(bare):
        raise Wrong("ismn", _IS_MUSIC)
    if not _DIGITS.fullmatch(digits):
        _refuse(bare, digits)
    return _checked(digits)


def _is_plain(digits: str) -> bool:
    """Whether these are the digits of a right ISBN-13, as nearly all are; what it is not, the long way has to say."""
    return (
        len(digits) == 13
        and digits.isascii()
        and digits.isdecimal()
        and digits.startswith(("978", "979"))
        and not digits.startswith("9790")
        and check_digit(digits[:12]) == digits[12]
    )


def parse_cell(value: CellValue, shown: str) -> str:
    """The 13 digits of a cell: its value, and the text that people see. Raises Wrong.

    A number counts with all its digits, however few of them its format shows.
    """
    if isinstance(value, bool | ErrorValue):
        raise Wrong("cell-type", f"is {shown or value}, no ISBN")
    if isinstance(value, int | float):
        return _of_number(value)
    if isinstance(value, str):
        return parse_text(value)
    if hasattr(value, "isoformat") or hasattr(value, "total_seconds"):
        raise Wrong("cell-type", "is a date or a time, no ISBN; give the cell the format Text and type the number anew")
    return parse_text(shown)


def _bare(text: str) -> str:
    """The text with plain digits, hyphens and blanks, without what stands around the number for technical reasons."""
    plain = plain_text(text)
    if plain.startswith('="') and plain.endswith('"'):  # how CSV files keep Excel from making a number of it
        plain = plain[2:-1]
    plain = plain.removeprefix("'").strip()
    label = _LABEL.match(plain)
    return plain[label.end() :] if label else plain


def plain_text(text: str) -> str:
    """A text with plain digits, hyphens and blanks, without blanks around it and without invisible characters."""
    return (text if text.isascii() and text.isprintable() else "".join(map(_plain, text))).strip()


def _plain(character: str) -> str:
    """A character as the plain one that is meant: digits of any script, dashes, blanks; invisible ones vanish."""
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Pd" or character in "−⁃":
        return "-"
    if category == "Cf":
        return ""
    if character.isspace():
        return " "
    if "！" <= character <= "～":  # fullwidth forms of ASCII
        return chr(ord(character) - 0xFEE0)
    return character


def _compact(text: str) -> str:
    return text.replace("-", "").replace(" ", "").upper()


def _of_number(value: int | float) -> str:
    # Not equal to itself or without end: no number that a cell can hold, but one that a caller can pass.
    if value != value or value in (float("inf"), float("-inf")) or value != int(value) or value < 0:
        raise Wrong("fraction", "is a number, but no whole one")
    digits = str(int(value))
    if len(digits) >= 13:
        zeros = len(digits) - len(digits.rstrip("0"))
        if zeros >= _SCIENTIFIC_ZEROS or (zeros > _SAFE_ZEROS and not stdnum_isbn.is_valid(digits)):
            raise Wrong("digits-lost", f"ends in {zeros} zeros; {_LOST}")
    if len(digits) in (7, 8):
        _refuse_zeros(digits)
    if len(digits) not in (9, 10, 13):
        raise Wrong("digit-count", _counted(digits))
    return _checked(digits)


def _of_scientific(whole: str, fraction: str | None, exponent: str) -> str:
    digits = whole + (fraction or "")
    # With a digit for each place there is nothing lost: 9.781608880003E+12.
    if len(digits) == 13 and int(exponent) == 12:
        return parse_text(digits)
    raise Wrong("digits-lost", f"is a number with an exponent: {_LOST}")


def _checked(digits: str) -> str:
    """The ISBN-13 of 9, 10 or 13 digits whose check digit is right."""
    if len(digits) == 13 and digits.startswith("9790"):
        raise Wrong("ismn", _IS_MUSIC)
    if len(digits) == 13 and digits[:3] not in ("978", "979"):
        raise Wrong("ean-prefix", f"begins with {digits[:3]}; an ISBN begins with 978 or 979")
    ten = "0" + digits if len(digits) == 9 else digits
    if not stdnum_isbn.is_valid(ten):
        if ten != digits:
            raise Wrong(
                "zeros-lost", f"has 9 digits; with the zero that may be lost in front the check digit of {ten} is wrong"
            )
        right = next(ten[:-1] + last for last in "0123456789X" if stdnum_isbn.is_valid(ten[:-1] + last))
        raise Wrong("check-digit", f"has a wrong check digit: the other digits want {right[-1]}, as in {right}")
    return str(stdnum_isbn.to_isbn13(ten))


def _refuse(bare: str, digits: str) -> NoReturn:
    """Say what is wrong with a text that is not one number alone."""
    candidates = [_compact(candidate) for candidate in _CANDIDATE.findall(bare)]
    isbns = [isbn for isbn in dict.fromkeys(map(_valid, candidates)) if isbn]
    if len(isbns) > 1:
        raise Wrong("two-isbns", f"holds {len(isbns)} ISBNs: {', '.join(isbns[:3])}; a cell holds one")
    if isbns:
        raise Wrong("note-with-number", f"holds more than the ISBN {isbns[0]}: move the rest to the notes")
    for candidate in candidates:
        if len(candidate) == 13:
            _checked(candidate)  # says why it is none
    if not any(character.isdigit() for character in digits):
        raise Wrong("characters", "holds no digits; an ISBN has 13 digits")
    odd = list(dict.fromkeys(character for character in digits if character not in "0123456789"))
    if odd and not re.fullmatch(r"\d+X", digits, re.ASCII):
        named = ", ".join(repr(character) for character in odd[:5])
        raise Wrong("characters", f"holds {named}; an ISBN has digits, hyphens, and at most an X at the end")
    raise Wrong("digit-count", _counted(digits))


def _valid(candidate: str) -> str | None:
    try:
        return _checked(candidate)
    except Wrong:
        return None


def _refuse_zeros(digits: str) -> NoReturn:
    """Two or three zeros too few: too much to put back unasked."""
    ten = digits.rjust(10, "0")
    hint = f"; {ten} would be one with a right check digit" if stdnum_isbn.is_valid(ten) else ""
    raise Wrong(
        "zeros-lost", f"has {len(digits)} digits; a number cell loses the zeros in front{hint}. Type it as text"
    )


def _counted(digits: str) -> str:
    return f"has {len(digits)} digits; an ISBN has 13 (or 10, where it is an old one)"
