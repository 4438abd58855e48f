"""Cell styles: the number format of each, and date styles added as text."""

from __future__ import annotations

import re

from batchbook.xlsx.formats import BUILTIN, Kind, kind_of
from batchbook.xlsx.xmltext import Element, SmallPart, whole

GENERAL = "General"
_BUILTIN_FOR = {Kind.DATE: 14, Kind.DATETIME: 22, Kind.TIME: 21, Kind.ELAPSED: 46}
"""Formats that need no definition and follow the reader's locale."""
_FITS = {
    Kind.DATE: (Kind.DATE, Kind.DATETIME),
    Kind.DATETIME: (Kind.DATE, Kind.DATETIME),
    Kind.TIME: (Kind.TIME,),
    Kind.ELAPSED: (Kind.ELAPSED,),
}
_BARE = (
    '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    '<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
BARE_STYLES = f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n{_BARE}'.encode()
"""A style part for a workbook that has none."""


class Styles:
    """The styles of a workbook; `added` ones are written by `apply`."""

    def __init__(self, part: SmallPart | None) -> None:
        self.part = part if part is not None else SmallPart(BARE_STYLES, "styles")
        root = self.part.root
        self._cell_xfs = root.one("cellXfs")
        self._xfs = list(self._cell_xfs.all("xf")) if self._cell_xfs else []
        custom: dict[int, str] = {}
        formats = root.one("numFmts")
        for element in formats.all("numFmt") if formats else ():
            custom[whole(element.get("numFmtId"))] = element.get("formatCode")
        self.formats = [self._code(xf, custom) for xf in self._xfs] or [GENERAL]
        self._added: list[str] = []
        self._made: dict[tuple[int, Kind], int] = {}
        self._bold: int | None = None

    @staticmethod
    def _code(xf: Element, custom: dict[int, str]) -> str:
        number = whole(xf.get("numFmtId"))
        return custom.get(number) or BUILTIN.get(number, GENERAL)

    def format(self, style: int) -> str:
        """The number format code of a style."""
        return self.formats[style] if 0 <= style < len(self.formats) else GENERAL

    def dated(self, style: int, kind: Kind) -> int:
        """A style like the given one that shows a date or time of this kind; itself if it does already."""
        made = self._made.get((style, kind))
        if made is None:
            if kind_of(self.format(style)) in _FITS[kind]:
                made = style
            else:
                made = self._add(style, numFmtId=str(_BUILTIN_FOR[kind]), applyNumberFormat="1")
            self._made[style, kind] = made
        return made

    def bold(self) -> int:
        """The style of a header that is made anew."""
        if self._bold is None:
            fonts = self.part.root.one("fonts")
            count = len(fonts.children) if fonts else 0
            if fonts:
                p = fonts.prefix
                first = fonts.one("font")
                text = self._text(first) if first and not first.self_closing else f"<{p}font></{p}font>"
                at = text.index(">") + 1
                if not (first and first.one("b")):
                    text = f"{text[:at]}<{p}b/>{text[at:]}"
                known = [self._text(font) for font in fonts.children]
                if text in known:  # made for an earlier save: a workbook can hold a few hundred fonts only
                    count = known.index(text)
                else:
                    self.part.append_child(fonts, text)
                    self.part.set_attribute(fonts, "count", str(count + 1))
            self._bold = self._add(0, fontId=str(count), applyFont="1") if fonts else 0
        return self._bold

    def _text(self, element: Element) -> str:
        return self.part.text[element.start : element.end].decode()

    def _known(self, style: int, changes: dict[str, str]) -> int | None:
        """A style that is there already and is the given one with these changes; else every save would add one."""
        if not 0 <= style < len(self._xfs):
            return None
        like = self._xfs[style]
        wanted, inside = {**like.attributes, **changes}, self.part.text[like.inner : like.close]
        for number, xf in enumerate(self._xfs):
            if xf.attributes == wanted and self.part.text[xf.inner : xf.close] == inside:
                return number
        return None

    def _add(self, style: int, **changes: str) -> int:
        known = self._known(style, changes)
        if known is not None:
            return known
        if 0 <= style < len(self._xfs):
            text = self._text(self._xfs[style])
        else:
            prefix = self._cell_xfs.prefix if self._cell_xfs else self.part.root.prefix
            text = f'<{prefix}xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
        end = re.search(r"/?>", text)
        assert end is not None
        tag, rest = text[: end.start()].rstrip(), text[end.start() :]
        for name, value in changes.items():
            tag = re.sub(rf"\s{name}\s*=\s*(?:\"[^\"]*\"|'[^']*')", "", tag) + f' {name}="{value}"'
        self._added.append(tag + rest)
        return max(len(self._xfs), 1) + len(self._added) - 1

    @property
    def changed(self) -> bool:
        """Whether the part has to be written anew."""
        return bool(self._added) or self.part.changed

    def result(self) -> bytes:
        """The part with what was added."""
        count = str(max(len(self._xfs), 1) + len(self._added))
        if self._cell_xfs is not None:
            missing = [] if self._xfs else ['<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>']
            self.part.append_child(self._cell_xfs, "".join(missing + self._added))
            if not self._cell_xfs.self_closing:
                self.part.set_attribute(self._cell_xfs, "count", count)
        return self.part.result()
