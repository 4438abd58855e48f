import datetime as dt
from dataclasses import replace
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.tables import RecordRefused, Unsound
from tests.tables.library import (
    DAY,
    LOG,
    SHELVES,
    TITLES,
    Entry,
    Shelf,
    Title,
    changed,
    library_with,
    make_library,
    read_library,
    records_of,
    workspace_of,
)


def refused(caught):
    return [(one.column, one.rule) for one in caught.value.findings]


def test_a_new_record_is_given_as_its_cells_will_be():
    titles = library_with().table(TITLES)
    seen = dt.datetime(2026, 11, 22, 8, 30, 1, 999, tzinfo=dt.UTC)
    wanted = Title(code=" T1 ", status="LENT", title="", shelf="left", due=DAY, seen=seen)
    got = titles.insert(wanted)
    assert got == Title(code="T1", status="lent", shelf="left", due=DAY, seen=seen.replace(microsecond=0))
    assert titles.get("T1") == got and list(titles.where()) == [got]


def test_everything_that_is_wrong_with_a_new_record_is_told_at_once_and_nothing_is_staged():
    workspace = library_with(Title(code="T1", status="there"))
    titles = workspace.table(TITLES)
    with pytest.raises(RecordRefused) as caught:
        titles.insert(
            Title(code="T1", status="gone", title="x" * 300, shelf="attic", copies=9, due=dt.date(1800, 1, 1))
        )
    assert refused(caught) == [
        ("Status", "not-allowed"),
        ("Title", "length"),
        ("Shelf", "reference"),
        ("Copies", "not-allowed"),
        ("Due", "range"),
        ("Code", "key-taken"),
    ]
    assert len(str(caught.value.findings[1])) < 300
    with pytest.raises(RecordRefused) as caught:
        titles.insert(Title(code=" ", status=None))
    assert refused(caught) == [("Code", "empty-key"), ("Status", "required")]
    assert workspace.take() == [] and titles.count() == 1


def test_a_new_record_that_breaks_a_rule_of_the_whole_is_refused_and_a_warning_is_not():
    titles = library_with().table(TITLES)
    with pytest.raises(RecordRefused) as caught:
        titles.insert(Title(code="T1", status="lent"))
    assert refused(caught) == [("Due", "due")]
    assert titles.insert(Title(code="T1", status="there", copies=0)).copies == 0


def test_the_key_of_an_unsound_row_is_taken(tmp_path):
    titles = read_library(tmp_path, [["T1", "gone"]]).table(TITLES)
    with pytest.raises(RecordRefused) as caught:
        titles.insert(Title(code="T1", status="there"))
    assert refused(caught) == [("Code", "key-taken")] and "row 2" in caught.value.findings[0].message


def test_a_reference_to_a_record_that_is_staged_holds():
    workspace = library_with()
    workspace.table(SHELVES).insert(Shelf(room="B", number=1, name="attic"))
    assert workspace.table(TITLES).insert(Title(code="T1", status="there", shelf="attic")).shelf == "attic"


def test_a_change_is_seen_by_whoever_reads_later():
    workspace = library_with(Title(code="T1", status="there", title="One"))
    titles = workspace.table(TITLES)
    now = titles.update("T1", status="lent", due=DAY)
    assert now == Title(code="T1", status="lent", title="One", due=DAY) == titles.get("T1")
    assert titles.count(status="lent") == 1 and titles.count(status="there") == 0


def test_everything_that_is_wrong_with_a_change_is_told_at_once_and_nothing_is_staged():
    workspace = library_with(Title(code="T1", status="there"))
    with pytest.raises(RecordRefused) as caught:
        workspace.table(TITLES).update("T1", code="T2", status=None, shelf="attic", copies=77, remark="x")
    assert sorted(refused(caught)) == [
        ("Code", "key"),
        ("Copies", "not-allowed"),
        ("Remark", "owner"),
        ("Shelf", "reference"),
        ("Status", "required"),
    ]
    assert workspace.take() == [] and workspace.table(TITLES).get("T1") == Title(code="T1", status="there")


def test_records_of_an_append_only_type_are_never_changed():
    workspace = library_with()
    workspace.table(LOG).insert(Entry(entry=1, said="a"))
    with pytest.raises(RecordRefused) as caught:
        workspace.table(LOG).update(1, said="b")
    assert refused(caught) == [("Said", "append-only")]


def test_what_is_not_there_or_not_sound_is_not_changed(tmp_path):
    titles = read_library(tmp_path, [["T1", "gone"]]).table(TITLES)
    with pytest.raises(KeyError, match="T9"):
        titles.update("T9", status="there")
    with pytest.raises(Unsound):
        titles.update("T1", status="there")
    with pytest.raises(TypeError, match="colour"):
        titles.where(colour="red").__next__()


def test_a_field_that_a_record_does_not_have_is_a_mistake_of_the_program():
    titles = library_with(Title(code="T1", status="there")).table(TITLES)
    with pytest.raises(TypeError, match="colour"):
        titles.update("T1", colour="red")
    with pytest.raises(TypeError, match="1 values"):
        titles.get("T1", "T2")


# --- taking --------------------------------------------------------------------------------------------------------


def test_a_new_record_that_is_changed_is_one_new_record():
    workspace = library_with()
    titles = workspace.table(TITLES)
    titles.insert(Title(code="T1", status="there"))
    titles.update("T1", status="lent", due=DAY)
    assert workspace.take() == [
        changed("T1", None, {"code": "T1", "status": "lent", "due": DAY}),
    ]
    assert workspace.take() == []


def test_several_changes_of_a_record_are_one_with_what_was_there_first():
    workspace = library_with(Title(code="T1", status="there"), Title(code="T2", status="there"))
    titles = workspace.table(TITLES)
    titles.update("T1", status="lent", due=DAY)
    titles.update("T2", title="Two")
    titles.update("T1", status="lost", due=None)
    assert workspace.take() == [
        changed("T1", {"status": "there"}, {"status": "lost"}),
        changed("T2", {"title": None}, {"title": "Two"}),
    ]


def test_a_record_that_is_again_what_it_was_is_no_change():
    workspace = library_with(Title(code="T1", status="there"))
    titles = workspace.table(TITLES)
    titles.update("T1", status="lost")
    titles.update("T1", status="there")
    titles.update("T1", status="there")
    assert workspace.take() == []


def test_a_change_after_a_take_begins_with_what_was_taken():
    workspace = library_with(Title(code="T1", status="there"))
    titles = workspace.table(TITLES)
    titles.update("T1", status="lost")
    workspace.take()
    titles.update("T1", status="there")
    assert workspace.take() == [changed("T1", {"status": "lost"}, {"status": "there"})]


def test_what_a_decision_rests_on_is_told_with_what_it_was_before():
    workspace = library_with(Title(code="T1", status="there", title="One"), Title(code="T2", status="there"))
    titles = workspace.table(TITLES)
    titles.rests_on("T1", fields=["status", "copies"])
    titles.rests_on("T2", fields=["status"])
    titles.update("T1", title="Two")
    before = {"status": "there", "title": "One", "copies": None}
    assert workspace.take() == [changed("T1", before, {"title": "Two"})]
    titles.update("T1", title="Three")
    assert workspace.take() == [changed("T1", {"title": "Two"}, {"title": "Three"})]
    with pytest.raises(KeyError):
        titles.rests_on("T9", fields=["status"])


# --- as a whole ----------------------------------------------------------------------------------------------------


def test_what_an_exception_leaves_is_not_staged():
    workspace = library_with(Title(code="T1", status="there"))
    titles = workspace.table(TITLES)
    with pytest.raises(RecordRefused), workspace.whole():
        titles.insert(Title(code="T2", status="there"))
        titles.update("T1", title="One")
        titles.rests_on("T1", fields=["status"])
        titles.insert(Title(code="T1", status="there"))
    assert workspace.take() == []
    assert list(titles.where()) == [Title(code="T1", status="there")]


def test_an_inner_whole_that_fails_leaves_the_outer_one():
    workspace = library_with()
    titles = workspace.table(TITLES)
    with workspace.whole():
        titles.insert(Title(code="T1", status="there"))
        with pytest.raises(ZeroDivisionError), workspace.whole():
            titles.update("T1", title="One")
            raise ZeroDivisionError
        titles.insert(Title(code="T2", status="there"))
    assert [(change.key, change.after) for change in workspace.take()] == [
        (("T1",), {"code": "T1", "status": "there"}),
        (("T2",), {"code": "T2", "status": "there"}),
    ]


def test_an_outer_whole_that_fails_takes_back_what_was_taken_inside():
    workspace = library_with(Title(code="T1", status="there"))
    with pytest.raises(ZeroDivisionError), workspace.whole():
        workspace.table(TITLES).update("T1", status="lost")
        assert len(workspace.take()) == 1
        raise ZeroDivisionError
    assert workspace.table(TITLES).get("T1").status == "there" and workspace.take() == []


# --- any series of them ---------------------------------------------------------------------------------------------

CODES = st.sampled_from(["T1", "T2", "T3", "T4"])
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["there", "lent", "lost", "gone", None]),
        "title": st.sampled_from(["One", "Two", None, ""]),
        "shelf": st.sampled_from(["left", "right", "attic", None]),
        "copies": st.sampled_from([0, 1, 3, 50, None]),
        "due": st.sampled_from([DAY, None]),
    },
)
STEPS = st.one_of(
    st.tuples(st.just("insert"), CODES, FIELDS),
    st.tuples(st.just("update"), CODES, FIELDS),
    st.tuples(st.just("take"), st.none(), st.none()),
)
SERIES = st.recursive(
    STEPS,
    lambda inner: st.tuples(st.sampled_from(["whole", "fails"]), st.lists(inner, max_size=5), st.none()),
    max_leaves=20,
)


class Left(Exception):
    pass


def allowed(record):
    known = record.status in ("there", "lent", "lost") and record.shelf in ("left", "right", None)
    return known and record.copies in (None, 0, 1, 3) and (record.status != "lent" or record.due is not None)


def normal(record):
    return replace(record, title=record.title or None)


def play(workspace, model, series, taken):
    """The same steps on the workspace and on a dict; what the workspace refuses has to break a rule, and only that."""
    titles = workspace.table(TITLES)
    for what, where, fields in series:
        if what == "take":
            taken += workspace.take()
        elif what in ("whole", "fails"):
            was = dict(model)
            kept = list(taken)
            try:
                with workspace.whole():
                    play(workspace, model, where, taken)
                    if what == "fails":
                        raise Left
            except Left:
                model.clear()
                model.update(was)
                taken[:] = kept
        else:
            wanted = step(model, what, where, fields)
            call = titles.insert if what == "insert" else titles.update
            try:
                if what == "insert":
                    got = call(Title(**{"code": where, "status": "there"} | fields))
                else:
                    got = call(where, **fields)
            except (RecordRefused, KeyError):
                got = None
            assert got == wanted
            if wanted is not None:
                model[where] = wanted


def step(model, what, code, fields):
    if (what == "insert") == (code in model):
        return None
    record = replace(model.get(code, Title(code=code, status="there")), **fields)
    return normal(record) if allowed(record) else None


@settings(max_examples=200, deadline=None)
@given(st.lists(SERIES, max_size=12))
def test_any_series_of_steps_gives_what_a_plain_dict_gives(series):
    workspace = library_with(Title(code="T1", status="there", title="Old"))
    model = {"T1": Title(code="T1", status="there", title="Old")}
    taken = []
    play(workspace, model, series, taken)
    taken += workspace.take()
    assert {title.code: title for title in workspace.table(TITLES).where()} == model
    assert workspace.take() == []

    again = library_with(Title(code="T1", status="there", title="Old"))
    assert again.apply(taken) == []
    assert records_of(again) == records_of(workspace)
    assert again.apply(taken[-1:]) == []


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.just("update"), st.just("T1"), FIELDS), max_size=8))
def test_changes_of_one_record_come_to_their_difference(series):
    old = Title(code="T1", status="there", title="Old", copies=1)
    workspace = library_with(old)
    model = {"T1": old}
    play(workspace, model, series, [])
    names = [
        name
        for name in ("status", "title", "shelf", "copies", "due")
        if getattr(old, name) != getattr(model["T1"], name)
    ]
    expected = changed(
        "T1",
        {name: getattr(old, name) for name in names},
        {name: getattr(model["T1"], name) for name in names},
    )
    assert workspace.take() == ([expected] if names else [])


def test_a_formula_that_a_person_put_in_a_cell_is_never_written_over(tmp_path):
    def change(book):
        book["Titles"]["C2"] = "=A2"

    path = make_library(tmp_path / "b.xlsx", [["T1", "there"]], change=change)
    calculated(path, "<v />", "<v>T1</v>")
    workspace = workspace_of(path)
    titles = workspace.table(TITLES)
    assert titles.get("T1").title == "T1"
    with pytest.raises(RecordRefused) as caught:
        titles.update("T1", title="One")
    assert refused(caught) == [("Title", "cell")]
    change = changed("T1", {"title": "T1"}, {"title": "One"})
    assert [finding.rule for finding in workspace.apply([change])] == ["cell"]
    assert titles.update("T1", title="T1", status="lost").status == "lost"
    assert [change.after for change in workspace.take()] == [{"status": "lost"}]


def calculated(path, old, new):
    """Put the result into the formula of a workbook, as Excel would."""
    with ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/worksheets/sheet2.xml"] = parts["xl/worksheets/sheet2.xml"].replace(b'<c r="C2">', b'<c r="C2" t="str">')
    with ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content.replace(old.encode(), new.encode()))


NEW = Title(code="T1", status="lent", title="One", copies=2, due=DAY)


@pytest.mark.parametrize(
    "other",
    [
        {"after": {"code": "T1", "status": "there", "title": "One", "copies": 2, "due": DAY}},
        {"after": {"code": "T1", "status": "lent", "title": "One", "due": DAY}},
        {"after": {"code": "T1", "status": "lent", "title": "One", "copies": 2, "due": DAY, "remark": "more"}},
        {"before": {"status": "there"}},
        {"key": ("T2",)},
    ],
)
def test_changes_are_all_new_only_where_they_say_just_what_is_staged(tmp_path, other):
    workspace = read_library(tmp_path)
    workspace.table(TITLES).insert(NEW)
    workspace.table(LOG).insert(Entry(entry=7, said="new"))
    changes = workspace.take()
    assert workspace.all_new(changes)
    stored = replace(changes[0], after={**changes[0].after, "due": dt.datetime(2026, 11, 22)})  # as the ledger gives it
    assert workspace.all_new([stored, changes[1]])
    assert not workspace.all_new([replace(changes[0], **other), changes[1]])


def test_records_that_are_in_the_sheet_or_were_set_back_are_not_new(tmp_path):
    workspace = read_library(tmp_path, [["T1", "there"]])
    titles = workspace.table(TITLES)
    titles.update("T1", title="One")
    (changed,) = workspace.take()
    assert not workspace.all_new([changed])
    assert not workspace.all_new([replace(changed, before=None, after={"code": "T1", "status": "there"})])
    try:
        with workspace.whole():
            titles.insert(Title(code="T2", status="there"))
            back = workspace.take()
            raise KeyError
    except KeyError:
        assert not workspace.all_new(back)


def test_nothing_counts_as_new_where_records_were_staged_that_others_may_refer_to(tmp_path):
    workspace = read_library(tmp_path)
    workspace.table(SHELVES).insert(Shelf(room="attic", number=1, name="top"))
    workspace.take()
    workspace.table(TITLES).insert(Title(code="T1", status="there", shelf="top"))
    assert not workspace.all_new(workspace.take())
