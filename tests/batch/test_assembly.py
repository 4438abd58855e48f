"""What a job and its processor settle between them, and rows that are brought in from a file."""

import threading

import pytest

from batchbook.batch import processor as engine
from batchbook.batch.processors import Processor
from batchbook.batch.progress import RowsCommitted
from batchbook.errors import ConfigurationError, Rejected
from tests.batch.helpers import Died, Site, counted, people, shout


class Named(Processor):
    """A class with names of its own."""

    reads = ("name",)
    writes = ("out", "extra")
    columns = {"name": "Name", "out": ["Result", "Outcome"], "extra": "Note"}  # noqa: RUF012

    def process(self, row):
        assert set(row) == {"name"}
        return dict.fromkeys(self.context.writes, row["name"])


def test_a_class_brings_its_columns_and_the_job_may_take_some_and_rename_them(tmp_path):
    site = Site(tmp_path / "w", people(1), Named, reads=None, writes=["out"])
    site.run()
    assert site.rows() == [["K1", "name 1", "name 1", "note 1"]]
    site.make_book(people(1), ("Key", "Title", "Outcome", "Note"))
    site.make_job(Named, reads=None, writes=None, columns={"name": "Title"})
    site.run()
    assert site.rows() == [["K1", "name 1", "name 1", "name 1"]]


def test_a_column_that_the_processor_does_not_fill_is_named(tmp_path):
    site = Site(tmp_path / "w", processor=Named, reads=None, writes=["ouut"])
    with pytest.raises(ConfigurationError) as caught:
        site.run()
    assert "did you mean 'out'" in str(caught.value.findings[0])


class Generous(Named):
    """A class that fills one more column where a job names it."""

    writes = ("out",)
    may_write = ("extra",)


def test_a_further_column_is_filled_only_where_the_job_names_it(tmp_path):
    site = Site(tmp_path / "w", people(1), Generous, reads=None, writes=None)
    site.run()
    assert site.rows() == [["K1", "name 1", "name 1", "note 1"]]
    site.make_job(Generous, reads=None, writes=["out", "extra"])
    site.run()
    assert site.rows() == [["K1", "name 1", "name 1", "name 1"]]


def test_a_further_column_that_is_not_named_need_not_be_in_the_sheet(tmp_path):
    site = Site(tmp_path / "w", processor=Generous, reads=None, writes=None)
    site.make_book([["K1", "a", "old"]], ("Key", "Name", "Result"))
    site.run()
    assert site.rows() == [["K1", "a", "a"]]
    site.make_job(Generous, reads=None, writes=["out", "extra"])
    with pytest.raises(ConfigurationError) as caught:
        site.run()
    assert "'Note'" in str(caught.value.findings[0])


def test_a_column_that_is_neither_filled_nor_a_further_one_is_refused_with_both_lists(tmp_path):
    site = Site(tmp_path / "w", processor=Generous, reads=None, writes=["out", "extr"])
    with pytest.raises(ConfigurationError, match="It fills: out; where `writes:` names them also: extra") as caught:
        site.run()
    assert "did you mean 'extra'" in str(caught.value.findings[0])


def test_a_function_without_writes_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="which columns it writes"):
        Site(tmp_path / "w", writes=None).run()


def test_marks_say_what_became_of_each_row(tmp_path):
    def work(row):
        if row.key == ("K2",):
            raise Rejected("bad data")
        return shout(row)

    marks = {"status": "Status", "reason": "Why", "checked_at": "At"}
    site = Site(tmp_path / "w", processor=work, marks=marks)
    site.make_book([["K1", "a", "old"], ["K2", "b", "old"]], ("Key", "Name", "Result", "Status", "Why", "At"))
    site.run()
    first, second = site.rows()
    assert first[2:5] == ["a!", "done", None]
    assert second[2:5] == ["old", "rejected", "bad data"]
    assert first[5] is not None


@pytest.mark.parametrize(("choice", "left"), [("clear", None), ("keep", "old")])
def test_without_marks_the_job_says_whether_a_bad_row_keeps_its_old_result(tmp_path, choice, left):
    def work(row):
        raise Rejected("bad data")

    site = Site(tmp_path / "w", [["K1", "a", "old", "n"]], work, on_problem=choice)
    site.run()
    assert site.results() == {"K1": left}


# --- rows from a file


def with_input(site, content, **settings):
    (site.path / "in.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    site.make_job(input="in.csv", **settings)
    return site


def test_rows_of_a_file_update_by_key_and_are_appended(site):
    with_input(site, b"\xef\xbb\xbfName;Key\r\nnew;K2\r\nz\xc3\xa4;K9\r\n")
    result = site.run()
    assert (result.status, result.rows.selected) == ("completed", 2)
    assert site.rows()[1] == ["K2", "name 2", "new!", "note 2"]
    assert site.rows()[6] == ["K9", None, "zä!", None]
    assert site.results()["K1"] is None


def test_bringing_the_same_file_in_again_changes_nothing(site):
    with_input(site, "Key,Name\nK2,b\nK9,z\n")
    site.run()
    state = site.book.read_bytes()
    assert site.run().rows.unchanged == 2
    assert site.book.read_bytes() == state


def test_bad_rows_of_a_file_are_rejected_by_line_and_the_others_come_in(site):
    with_input(site, "Key,Name\nK9,z\n,nobody\nK8,y\nK9,twin\n")
    result = site.run()
    assert (result.rows.done, result.rows.rejected) == (1, 3)
    assert site.results()["K8"] == "y!"
    assert "K9" not in site.results()


def test_a_run_over_a_file_resumes_by_key_with_rows_already_appended(site):
    with_input(site, "Key,Name\n" + "".join(f"N{n},m{n}\n" for n in range(1, 9)) + ",nobody\n")
    assert site.interrupted(5).rows.done == 5
    work, seen = counted()
    site.use(work)
    result = site.run("auto")
    assert (result.rows.done, result.rows.rejected) == (8, 1)
    assert seen == ["N6", "N7", "N8"]
    assert [row[2] for row in site.rows()[6:]] == [f"m{n}!" for n in range(1, 9)]


def test_a_changed_file_is_not_resumed_into(site):
    with_input(site, "Key,Name\nN1,a\nN2,b\n")
    site.interrupted(1)
    (site.path / "in.csv").write_text("Key,Name\nN1,other\nN2,b\n")
    result = site.run("auto")
    assert result.resumed is None
    assert any("in.csv" in said for said in site.warnings())
    assert site.results()["N1"] == "other!"


def test_rows_added_out_of_order_before_a_crash_never_share_a_row_with_those_added_after(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "COMMIT_SECONDS", 0.01)
    slow = threading.Event()

    def work(row):
        if row.key == ("N2",):
            raise Rejected("leaves its place empty")
        if row.key == ("N6",):
            slow.wait(20)
        return shout(row)

    batch = {"strategy": "fixed", "size": 4, "checkpoint_frequency": 1, "concurrency": 4, "max_retry_attempts": 1}
    site = with_input(
        Site(tmp_path / "w", []), "Key,Name\n" + "".join(f"N{n},m{n}\n" for n in range(1, 9)), batch=batch
    )
    site.use(work)

    def dying(event):
        if isinstance(event, RowsCommitted) and event.counts.ended == 7:
            raise Died

    from batchbook.batch.controller import BatchController
    from batchbook.batch.start import StartRequest

    with pytest.raises(Died):
        BatchController(site.job(), StartRequest(mode="fresh"), events=dying).run()
    slow.set()
    result = site.run("auto")
    assert (result.error, result.rows.done, result.rows.rejected) == (None, 7, 1)
    found = {row[0]: row[2] for row in site.rows() if row[0]}
    assert found == {f"N{n}": f"m{n}!" for n in range(1, 9) if n != 2}
