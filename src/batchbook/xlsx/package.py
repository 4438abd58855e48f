"""The parts of a workbook and how they refer to each other."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from urllib.parse import unquote

from batchbook.errors import WorkbookDamaged, WorkbookNotSupported
from batchbook.xlsx.container import DAMAGED_ADVICE, Container, Entry
from batchbook.xlsx.xmltext import SmallPart

CONTENT_TYPES = "[Content_Types].xml"
SIGNATURES = "_xmlsignatures/"
MAIN_NAMESPACES = {
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main": (
        "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    ),
    "http://purl.oclc.org/ooxml/spreadsheetml/main": "http://purl.oclc.org/ooxml/officeDocument/relationships",
}
"""Transitional and strict: the namespace of workbook and sheets, and of the relationships in them."""


_WORKBOOK_TYPE = re.compile(r"(?:sheet|template)\.(?:macroEnabled\.)?main\+xml$")


@dataclass(frozen=True, slots=True)
class Relationship:
    """A link from one part to another, its target resolved to a part name."""

    id: str
    type: str
    target: str
    external: bool

    @property
    def kind(self) -> str:
        """The last piece of the type, such as ``worksheet``."""
        return self.type.rpartition("/")[2]


def resolve(source: str, target: str) -> str:
    """The part name that a relationship's target means, seen from the part it belongs to."""
    target = target.replace("\\", "/").partition("#")[0]
    if not target.startswith("/"):
        target = posixpath.join(posixpath.dirname(source), target)
    return posixpath.normpath("/" + target.lstrip("/")).lstrip("/")


def rels_name(part: str) -> str:
    """The name of the part that holds another part's relationships."""
    folder, leaf = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{leaf}.rels")


def _plain(name: str) -> str:
    return name.replace("\\", "/").lstrip("/")


class Package:
    """Parts by name. Part names ignore case; a name in another case, or as a URL writes it, is found as well."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self._exact = {entry.name: entry for entry in container.entries}
        self._folded: dict[str, Entry] = {}
        for entry in container.entries:
            self._folded.setdefault(_plain(entry.name).lower(), entry)

    def find(self, name: str) -> Entry | None:
        """The part of a name, or None."""
        for wanted in (name, unquote(name)):
            entry = self._exact.get(wanted) or self._folded.get(_plain(wanted).lower())
            if entry is not None:
                return entry
        return None

    def small(self, entry: Entry) -> SmallPart:
        """A part read as a whole."""
        with self.container.in_part(entry.name):
            return SmallPart(self.container.read(entry), "it")

    def relationships(self, part: str) -> list[Relationship]:
        """The relationships of a part; of the package for the empty name."""
        entry = self.find(rels_name(part))
        if entry is None:
            return []
        return [
            Relationship(
                element.get("Id"),
                element.get("Type"),
                resolve(part, element.get("Target")),
                element.get("TargetMode") == "External",
            )
            for element in self.small(entry).root.all("Relationship")
        ]

    def related(self, part: str, kind: str) -> Entry | None:
        """The first part of a kind that a part links to."""
        for link in self.relationships(part):
            if link.kind == kind and not link.external:
                entry = self.find(link.target)
                if entry is not None:
                    return entry
        return None

    def workbook(self) -> Entry:
        """The part with the list of sheets."""
        entry = self.related("", "officeDocument") or self._workbook_by_type()
        if entry is None:
            raise self.refusal()
        if entry.name.lower().endswith(".bin"):
            raise WorkbookNotSupported(
                f"{self.container.path.name} is a binary workbook (.xlsb).", "Save it as .xlsx or .xlsm."
            )
        return entry

    def _workbook_by_type(self) -> Entry | None:
        entry = self.find(CONTENT_TYPES)
        if entry is None:
            return None
        for element in self.small(entry).root.all("Override"):
            if _WORKBOOK_TYPE.search(element.get("ContentType")):
                return self.find(element.get("PartName").lstrip("/"))
        return None

    def refusal(self) -> WorkbookDamaged | WorkbookNotSupported:
        """What this archive is, since it is no workbook."""
        name = self.container.path.name
        if self.find("xl/workbook.bin") is not None:
            return WorkbookNotSupported(f"{name} is a binary workbook (.xlsb).", "Save it as .xlsx or .xlsm.")
        if self.find("mimetype") is not None and self.find("content.xml") is not None:
            return WorkbookNotSupported(f"{name} is an OpenDocument file.", "Save it as .xlsx.")
        if self.find(CONTENT_TYPES) is not None or self.find("_rels/.rels") is not None:
            return WorkbookDamaged(f"{name} has no workbook in it.", DAMAGED_ADVICE)
        return WorkbookNotSupported(f"{name} is a zip archive, but no workbook.", "Check the path.")

    @property
    def signed(self) -> bool:
        """Whether the workbook carries a digital signature, which any edit would break."""
        return any(_plain(entry.name).startswith(SIGNATURES) for entry in self.container.entries)
