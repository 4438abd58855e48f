"""Range messages and blocks for this room."""

from xml.sax.saxutils import escape

from hypothesis import strategies as st
from stdnum import numdb

from batchbook.isbn.numbers import isbn_of
from batchbook.isbn.records import Block

DTD = """<!DOCTYPE ISBNRangeMessage [
<!ELEMENT ISBNRangeMessage (MessageSource?, MessageSerialNumber?, MessageDate, EAN.UCCPrefixes, RegistrationGroups) >
<!ELEMENT MessageSource (#PCDATA) >
]>"""
DATE = "Sun, 4 Jan 2026 16:49:25 GMT"


def stdnum_content():
    """prefix -> (ranges of groups, {group: (agency, ranges of registrants)}), from python-stdnum without our code."""
    content = {}
    for _, prefix, _, _, entries in numdb.get("isbn").prefixes:
        lengths = [(low, high) for _, low, high, about, below in entries if not below and not about]
        groups = {
            low: (about["agency"], [(first, last) for _, first, last, _, _ in below])
            for _, low, _, about, below in entries
            if about
        }
        content[prefix] = (lengths, groups)
    return content


def range_message(content, *, date=DATE, dtd=DTD, serial="a-serial"):
    """The content as RangeMessage.xml has it: ranges of seven digits, and ranges of length 0 between them."""
    prefixes = "".join(
        f"<EAN.UCC><Prefix>{prefix}</Prefix><Agency>International ISBN Agency</Agency>{rules(lengths)}</EAN.UCC>"
        for prefix, (lengths, _) in content.items()
    )
    groups = "".join(
        f"<Group><Prefix>{prefix}-{group}</Prefix><Agency>{escape(agency)}</Agency>{rules(ranges)}</Group>"
        for prefix, (_, groups) in content.items()
        for group, (agency, ranges) in groups.items()
    )
    return (
        f"<?xml version='1.0' encoding='utf-8'?>\n{dtd}\n<ISBNRangeMessage>"
        f"<MessageSource>International ISBN Agency</MessageSource><MessageSerialNumber>{serial}</MessageSerialNumber>"
        f"<MessageDate>{date}</MessageDate><EAN.UCCPrefixes>{prefixes}</EAN.UCCPrefixes>"
        f"<RegistrationGroups>{groups}</RegistrationGroups></ISBNRangeMessage>\n"
    )


def rules(ranges):
    written, free = [], 0
    for low, high in sorted(ranges, key=lambda one: one[0].ljust(7, "0")):
        first, last = int(low.ljust(7, "0")), int(high.ljust(7, "9"))
        if free < first:
            written.append((free, first - 1, 0))
        written.append((first, last, len(low)))
        free = last + 1
    if free < 10**7:
        written.append((free, 10**7 - 1, 0))
    return "<Rules>" + "".join(map(rule, written)) + "</Rules>"


def rule(row):
    first, last, length = row
    return f"<Rule><Range>{first:07d}-{last:07d}</Range><Length>{length}</Length></Rule>"


def boundary_cores():
    """First and last core of each range of each group, with the cores beside them."""
    cores = set()
    for prefix, (lengths, groups) in stdnum_content().items():
        heads = [(prefix, low, high) for low, high in lengths]
        heads += [(prefix + group, low, high) for group, (_, ranges) in groups.items() for low, high in ranges]
        for head, low, high in heads:
            first, last = int((head + low).ljust(12, "0")), int((head + high).ljust(12, "9"))
            cores.update(core + beside for core in (first, last) for beside in (-1, 0, 1))
    return sorted(core for core in cores if 978 * 10**9 <= core < 980 * 10**9)


def own_check_digit(core):
    """By the definition: weights 1 and 3, the sum with the check digit is a multiple of ten."""
    total = sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(f"{core:012d}"))
    return str(-total % 10)


def own_isbn10(core):
    """The ISBN-10 of a core that begins with 978: weights 10 to 2, modulo 11."""
    digits = f"{core:012d}"[3:]
    rest = -sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=True)) % 11
    return digits + ("X" if rest == 10 else str(rest))


cores = st.one_of(
    st.integers(978 * 10**9, 979 * 10**9 - 1),
    st.integers(979 * 10**9 + 10**8, 980 * 10**9 - 1),  # 979-0 is music
)
isbns = cores.map(lambda core: f"{core:012d}" + own_check_digit(core))


def block(first, last, name="", *, imprint=None, publisher=None):
    """A block of some numbers of 978-1-60888, by publication numbers."""
    low, high = 978160888000 + first, 978160888000 + last
    return Block(
        block=name or f"{first}-{last}",
        prefix="978",
        publisher_code="1-60888",
        imprint=imprint,
        publisher=publisher,
        first=isbn_of(low),
        last=isbn_of(high),
        total=last - first + 1,
    )
