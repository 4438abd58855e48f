"""RangeMessage.xml: the range table as the International ISBN Agency gives it out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import fromstring

from batchbook.errors import ConfigurationError, Finding
from batchbook.isbn.ranges import Group, OverlappingRanges, RangeTable, message_date, shipped_ranges

MOST_BYTES: Final = 20_000_000
"""A range message has some 200,000 bytes."""
_MOST_FINDINGS: Final = 20
_RANGE: Final = re.compile(r"(\d{7})-(\d{7})", re.ASCII)
_PREFIX: Final = re.compile(r"(97[89])-(\d{1,5})", re.ASCII)
_LENGTH: Final = re.compile(r"[0-7]", re.ASCII)


def ranges_in_use(path: Path | None) -> RangeTable:
    """The shipped table, or the one of a RangeMessage file. What is odd about it stands in its `warnings`.

    Raises ConfigurationError, with the file and all that is wrong with it.
    """
    return shipped_ranges() if path is None else read_range_message(path)


def read_range_message(path: Path) -> RangeTable:
    """The table of a RangeMessage.xml file. Raises ConfigurationError, with the file and all that is wrong with it."""
    reader = _Reader(str(path))
    root = reader.root(path)
    table = reader.table(root) if root is not None else None
    if reader.findings or table is None:
        more = len(reader.findings) - _MOST_FINDINGS
        shown = reader.findings[:_MOST_FINDINGS]
        if more > 0:
            shown.append(Finding(f"{more:,} more places are wrong", reader.file))
        raise ConfigurationError(
            f"The ISBN ranges at {path} cannot be used.",
            "Fetch RangeMessage.xml anew from the International ISBN Agency, or take `ranges:` out of the section"
            " `isbn:` of config/batchbook.yaml to use the table that comes with batchbook.",
            findings=shown,
        )
    table.warnings = tuple(_doubts(table, shipped_ranges()))
    return table


def _doubts(table: RangeTable, shipped: RangeTable) -> Iterator[str]:
    """What is no fault of a file, but makes it the worse choice."""
    if table.date and shipped.date and table.date < shipped.date:
        yield (
            f"The ISBN ranges at {table.source} are of {table.date.date().isoformat()}, older than those that come with"
            f" batchbook ({shipped.date.date().isoformat()})."
        )
    missing = [f"{prefix}-{group}" for prefix, group in shipped.groups if (prefix, group) not in table.groups]
    if missing:
        named = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        yield (
            f"The ISBN ranges at {table.source} lack {len(missing):,} registration groups that the table that comes"
            f" with batchbook has: {named}."
        )


class _Reader:
    """Reads one file and keeps all that is wrong with it."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.findings: list[Finding] = []

    def wrong(self, message: str, value: str | None = None) -> None:
        self.findings.append(Finding(message, self.file, value=value if value is None else value[:100]))

    def root(self, path: Path) -> Element | None:
        """The document's root element, where it is that of a range message."""
        try:
            size = path.stat().st_size
            if size > MOST_BYTES:
                self.wrong(f"has {size:,} bytes; a range message has less than {MOST_BYTES:,}")
                return None
            root: Element = fromstring(path.read_bytes())
        except OSError as error:
            self.wrong(f"cannot be read: {error.strerror or error}")
            return None
        # ParseError is a SyntaxError; what defusedxml forbids, and odd encodings, are ValueErrors or LookupErrors.
        except (ParseError, ValueError, LookupError) as error:
            self.wrong(f"is no sound XML: {error}")
            return None
        if root.tag != "ISBNRangeMessage":
            self.wrong("is no range message: its root element is not ISBNRangeMessage", root.tag)
            return None
        return root

    def table(self, root: Element) -> RangeTable | None:
        """The table of a document; None where something is wrong with it."""
        stated = self.text(root, "MessageDate", "the message")
        date = message_date(stated)
        if stated and date is None:
            self.wrong("MessageDate is no date such as Sun, 4 Jan 2026 16:49:25 GMT", stated)
        lengths = self.group_lengths(root)
        groups = self.groups(root, lengths)
        if self.findings:
            return None
        serial = (root.findtext("MessageSerialNumber") or "").strip()
        try:
            return RangeTable(groups, source=self.file, date=date, serial=serial)
        except OverlappingRanges as error:
            self.wrong(str(error))
            return None

    def group_lengths(self, root: Element) -> list[tuple[str, str, str]]:
        """Of which length groups are: prefix, first and last group of that length, as digits."""
        found = []
        for entry in self.children(root, "EAN.UCCPrefixes", "EAN.UCC"):
            prefix = self.text(entry, "Prefix", "an EAN.UCC prefix")
            if prefix not in ("", "978", "979"):
                self.wrong("an EAN.UCC prefix is neither 978 nor 979", prefix)
            found += [(prefix, low, high) for low, high in self.rules(entry, f"prefix {prefix}", 5)]
        return found

    def groups(self, root: Element, lengths: list[tuple[str, str, str]]) -> list[Group]:
        """The registration groups."""
        found: dict[str, Group] = {}
        for entry in self.children(root, "RegistrationGroups", "Group"):
            name = self.text(entry, "Prefix", "a registration group")
            match = _PREFIX.fullmatch(name)
            if match is None:
                if name:
                    self.wrong("the prefix of a registration group is not like 978-1", name)
                continue
            prefix, group = match[1], match[2]
            if name in found:
                self.wrong(f"group {name} is there twice", name)
            if not any(prefix == at and len(low) == len(group) and low <= group <= high for at, low, high in lengths):
                self.wrong(f"group {name} does not fit the lengths that EAN.UCCPrefixes has for {prefix}", name)
            agency = self.text(entry, "Agency", f"group {name}")
            rules = self.rules(entry, f"group {name}", min(7, 8 - len(group)))
            found[name] = Group(prefix, group, agency, tuple(rules))
        return list(found.values())

    def rules(self, entry: Element, place: str, most: int) -> list[tuple[str, str]]:
        """The ranges of an entry that are in use, each cut to its length."""
        found = []
        for rule in self.children(entry, "Rules", "Rule", place):
            stated, length = self.text(rule, "Range", place), self.text(rule, "Length", place)
            if not stated or not length:
                continue
            match = _RANGE.fullmatch(stated)
            if match is None or match[1] > match[2]:
                self.wrong(f"a range of {place} is not like 0000000-1999999", stated)
            elif _LENGTH.fullmatch(length) is None or int(length) > most:
                self.wrong(f"the length at range {stated} of {place} is no number from 0 to {most}", length)
            elif int(length):
                found += self.cut(match[1], match[2], int(length), place)
        return found

    def cut(self, low: str, high: str, length: int, place: str) -> list[tuple[str, str]]:
        """A range of seven digits as one of so many; a registrant is in it as a whole or not at all."""
        if low[length:].strip("0") or high[length:].strip("9"):
            self.wrong(
                f"a range of {place} does not begin and end with whole numbers of {length} digits", f"{low}-{high}"
            )
            return []
        return [(low[:length], high[:length])]

    def children(self, entry: Element, parent: str, name: str, place: str = "the message") -> list[Element]:
        """The elements of a name in the one that holds them; at least one is wanted."""
        holder = entry.find(parent)
        found = [] if holder is None else holder.findall(name)
        if not found:
            self.wrong(f"{place} has no {parent} with a {name}")
        return found

    def text(self, entry: Element, name: str, place: str) -> str:
        """The text of an element that has to be there; empty where it is not."""
        text = (entry.findtext(name) or "").strip()
        if not text:
            self.wrong(f"{place} has no {name}")
        return text
