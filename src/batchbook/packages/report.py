"""The report on a review for analysts: new advisories first, and nothing of what only got another date."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from batchbook.batch import DetailSheet, ReportSheet, ReportWish, RowView, RunView, SheetColumn, Toned
from batchbook.batch.generalreport import SUMMARY_COLUMNS, Line, conflicts_sheet, summary_of
from batchbook.batch.reportrows import OrderedRows, RowSet
from batchbook.packages.changes import (
    RANK_WORDS,
    Facts,
    Listed,
    News,
    Package,
    Rank,
    ids,
    in_order,
    news_of,
    worst_severity,
)
from batchbook.packages.options import PackageReviewOptions
from batchbook.packages.recommendation import Kind
from batchbook.packages.wording import count
from batchbook.tables import key_text

PEOPLES = {"notes": 30, "decision": 18, "justification": 36}
"""People's columns that a report has where the job has them, with their widths; by own name."""
_PROBLEMS = ("unknown", "rejected", "failed")


def wished(options: PackageReviewOptions) -> ReportWish | None:
    """The report that a review's options ask for, if they do."""
    given = options.report
    return ReportWish(given.to, given.changes_only) if given is not None else None


def package_report(run: RunView, sheet: str, spec: DetailSheet, *, changes_only: bool) -> list[ReportSheet]:
    """The sheets of a report on a review; `sheet` and `spec` are those of its advisories."""
    found = _Findings(run, sheet, spec)
    peoples = [SheetColumn(run.columns[name], PEOPLES[name]) for name in found.peoples]
    sheets = [
        ReportSheet("Summary", SUMMARY_COLUMNS, _summary(run, found, changes_only=changes_only)),
        ReportSheet("Changes", (*_CHANGES, *peoples), found.changes, _nothing(run), frozen=2),
        ReportSheet("Unknown", (*_UNKNOWN, *peoples), found.unknown, "No package is unknown, rejected or failed.", 2),
        _advisories(found, spec, changes_only=changes_only),
    ]
    if run.conflict_count:
        sheets.append(conflicts_sheet(run))
    if not changes_only:
        sheets.append(_packages(run))
    return sheets


def _advisories(found: _Findings, spec: DetailSheet, *, changes_only: bool) -> ReportSheet:
    none = "No new advisory." if changes_only else "No advisory applies to any package."
    columns = (SheetColumn("New", 7), *spec.columns)
    return ReportSheet("Advisories", columns, found.advisories(all_of_them=not changes_only), none, 2)


def _nothing(run: RunView) -> str:
    since = f"since run {run.before.run_id}" if run.before is not None else "in this run"
    return f"Nothing that matters changed {since}."


_CHANGES = tuple(
    SheetColumn(header, width)
    for header, width in (
        ("Package", 24), ("Version", 12), ("What Changed", 56), ("New Advisories", 30), ("No Longer Listed", 24),
        ("Severity", 18), ("Known Exploited", 16), ("First Fixed", 13), ("Recommendation Before", 20),
        ("Recommendation Now", 20),
    )
)  # fmt: skip
_UNKNOWN = (
    SheetColumn("Package", 24),
    SheetColumn("Version", 14),
    SheetColumn("Status", 12),
    SheetColumn("Reason", 90),
)


class _Findings:
    """What one look at all rows found; the rows of the sheets lie on disk."""

    def __init__(self, run: RunView, sheet: str, spec: DetailSheet) -> None:
        self.peoples = [name for name in PEOPLES if name in run.columns]
        self.changes = OrderedRows()
        self.unknown = OrderedRows()
        self.ranks: Counter[Rank] = Counter()
        self.kinds: Counter[str] = Counter()
        self.packages = self.new_advisories = self.exploited = self.gone = self.not_taken = self.edited = 0
        self._run, self._sheet, self._spec = run, sheet, spec
        self._headers = [column.header for column in spec.columns]
        self._new = OrderedRows()
        self._known_new = RowSet()
        for row in run.rows():
            self._look(row)

    def _look(self, row: RowView) -> None:
        package = self._package(row)
        self._count(row, package)
        news = news_of(package)
        peoples = [row.now.get(name) for name in self.peoples]
        if news is not None:
            self._add(row, package, news, peoples)
        status = _status(row, package.after)
        if status in _PROBLEMS:
            reason = row.reason or package.after.reason or str(row.now.get("recommendation") or "")
            tone = Toned(status, "warn" if status == "unknown" else "bad")
            self.unknown.add((), [_name(row), row.now.get("version"), tone, reason, *peoples])

    def _package(self, row: RowView) -> Package:
        marks = self._run.marks
        now = {**row.now, **row.after}
        rows = self._run.details_of(row, self._sheet, self._spec)
        before = row.details[self._sheet][0] if self._sheet in row.details else rows
        return Package(
            before=Facts.of({**now, **row.before}, marks.status, marks.reason),
            after=Facts.of(now, marks.status, marks.reason),
            listed_before=[Listed.of(self._headers, cells) for cells in before],
            listed=[Listed.of(self._headers, cells) for cells in rows],
            outcome=row.outcome,
            reason=row.reason,
            new=row.new,
            new_input=row.new_input,
        )

    def _count(self, row: RowView, package: Package) -> None:
        if row.number is not None:
            self.packages += 1
            self.kinds[_kind_words(row)] += 1
            self.not_taken += row.outcome is None
            self.edited += row.edited_since

    def _add(self, row: RowView, package: Package, news: News, peoples: Sequence[Any]) -> None:
        self.ranks.update(news.ranks)
        self.new_advisories += len(news.new)
        self.gone += len(news.gone)
        self.exploited += sum(one.is_exploited for one in news.new) + len(news.exploited)
        for one in news.new:
            self._new.add(_order(one), ["yes", *one.cells])  # type: ignore[list-item]
            self._known_new.add(row.id, one.id)
        worst = in_order(news.new or news.exploited or package.listed)[:1]
        order = (int(news.rank), *(_order(worst[0]) if worst else (1, 1, 0.0)))
        severity, exploited = worst_severity(package.listed), _exploited(package.listed)
        version = row.now.get("version") or next((one.version for one in package.listed or package.listed_before), None)
        self.changes.add(
            order,
            [
                _name(row), version, news.words, ids(news.new, 20) or None, ids(news.gone, 20) or None,
                _severity_cell(severity), Toned("yes", "bad") if exploited == "yes" else exploited or None,
                package.after.first_fixed or None, package.before.head or None, _head_cell(package.after), *peoples,
            ],
        )  # fmt: skip

    def advisories(self, *, all_of_them: bool) -> Iterator[Line]:
        """The new advisories' rows, then, if asked for, those of all others."""
        for row in self._new:
            yield [Toned("yes", "bad"), *row[1:]]
        for cells in self._run.detail_rows(self._sheet, self._spec) if all_of_them else ():
            if not self._is_new(cells):
                yield [None, *cells]

    def _is_new(self, cells: Sequence[Any]) -> bool:
        key = key_text(tuple("" if cell is None else str(cell) for cell in cells[: self._spec.key]))
        return (key, Listed.of(self._headers, cells).id) in self._known_new


def _order(one: Listed) -> tuple[int, int, float]:
    label, score = one.rank()
    return (0 if one.is_exploited else 1, -label, -score)


def _exploited(listed: Sequence[Listed]) -> str:
    """Yes where one is; no only where each of them was looked up."""
    said = {"yes" if one.is_exploited else one.exploited for one in listed if one.applies}
    if "yes" in said:
        return "yes"
    return "no" if said == {"no"} else next(iter(sorted(said - {"no"})), "")


def _name(row: RowView) -> str:
    return str(row.now.get("package_name") or row.key)


def _status(row: RowView, after: Facts) -> str:
    """Unknown, rejected or failed, by this run or, where it did not take the row, by an earlier one."""
    if row.outcome in _PROBLEMS:
        return row.outcome
    if after.kind is Kind.UNKNOWN:
        return "unknown"
    return after.status if row.outcome is None and after.status in _PROBLEMS else ""


def _severity_cell(severity: str) -> Toned | str | None:
    label = severity.partition(" ")[0]
    if label in ("CRITICAL", "HIGH"):
        return Toned(severity, "bad")
    return Toned(severity, "warn") if label == "MEDIUM" else severity or None


def _head_cell(facts: Facts) -> Toned | str | None:
    if facts.kind is Kind.SECURITY_RISK:
        return Toned(facts.head, "bad")
    if facts.kind in (Kind.UNKNOWN, Kind.MANUAL_REVIEW):
        return Toned(facts.head, "warn")
    return Toned(facts.head, "good") if facts.kind is Kind.PROCEED and not facts.qualifier else facts.head or None


_STATUS = {Kind.SECURITY_RISK: "affected", Kind.UNKNOWN: "unknown"}
_NO_RECOMMENDATION, _TYPED = "without a recommendation", "with a text of a person's in its place"


def _kind_words(row: RowView) -> str:
    text = row.now.get("recommendation")
    facts = Facts.of(row.now, None, None)
    return str(facts.kind) if facts.kind is not None else _TYPED if text else _NO_RECOMMENDATION


def _summary(run: RunView, found: _Findings, *, changes_only: bool) -> Iterator[Line]:
    yield from summary_of(run, changes_only=changes_only, title="Package review")
    if run.conflict_count:
        said = f"{count(run.conflict_count, 'cell', 'cells')} that people changed; see the sheet Conflicts"
        yield ["Please note", Toned(said, "warn")]
    if found.edited:
        said = f"{count(found.edited, 'package was', 'packages were')} changed in the workbook since the run read them"
        yield ["Please note", Toned(f"{said}: what is said of them here is about what they were", "warn")]
    yield ["What changed"]
    yield ["new advisories", Toned(found.new_advisories, "bad") if found.new_advisories else 0]
    yield ["known exploited among what is new", Toned(found.exploited, "bad") if found.exploited else found.exploited]
    yield ["advisories no longer listed", found.gone]
    yield ["packages that are not as they were", len(found.changes)]
    for rank, words in RANK_WORDS.items():
        yield [f"packages {words}", found.ranks[rank]]
    if not found.ranks:
        yield ["in words", Toned(_nothing(run), "good")]
    if run.trouble is None:
        yield from _totals(found)


def _totals(found: _Findings) -> Iterator[Line]:
    yield ["Packages in the workbook, as it is now"]
    yield ["all", found.packages]
    if found.not_taken:
        yield ["of them not taken by this run", found.not_taken]
    yield ["By status"]
    statuses: Counter[str] = Counter()
    for kind in Kind:
        statuses[_STATUS.get(kind, "not affected")] += found.kinds[str(kind)]
    rest = found.kinds[_NO_RECOMMENDATION] + found.kinds[_TYPED]
    for status, tone in (("affected", "bad"), ("unknown", "warn"), ("not affected", "good")):
        yield [status, Toned(statuses[status], tone) if statuses[status] else 0]  # type: ignore[arg-type]
    if rest:
        yield ["not told", Toned(rest, "warn")]
    yield ["By recommendation"]
    for word in (*map(str, Kind), _NO_RECOMMENDATION, _TYPED):
        if found.kinds[word]:
            yield [word, found.kinds[word]]


def _packages(run: RunView) -> ReportSheet:
    """All rows with the job's columns, as the workbook has them."""
    wide = {"recommendation": 60, "reason": 40, **PEOPLES}
    columns = [SheetColumn(title, wide.get(name, 18)) for name, title in run.columns.items()]
    rows = ([row.now.get(name) for name in run.columns] for row in run.rows() if row.number is not None)
    none = f"The workbook could not be read: {run.trouble}" if run.trouble else "The sheet has no rows."
    return ReportSheet("Packages", columns or [SheetColumn("Packages", 60)], rows, none, min(2, len(columns)))
