import openpyxl
import pytest

from batchbook.batch.details import content, must_be_ours, read_details
from batchbook.batch.processors import DetailSheet, Processor, RowResult
from batchbook.errors import ConfigurationError, Rejected
from batchbook.xlsx import Book, SheetColumn
from tests.batch.helpers import Site, people

FACTS = DetailSheet((SheetColumn("Key"), SheetColumn("Fact")))


class Detailed(Processor):
    writes = ("Result",)
    details = {"Facts": FACTS}  # noqa: RUF012

    def process(self, row):
        if row["Name"] == "bad":
            raise Rejected("bad")
        return RowResult({"Result": "x"}, {"Facts": [[row.key[0], f"{row['Name']} {n}"] for n in (1, 2)]})


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path / "w", people(3), Detailed)


def with_sheet(site, name, rows):
    book = openpyxl.load_workbook(site.book)
    sheet = book.create_sheet(name)
    for place, value in rows.items():
        sheet[place] = value
    book.save(site.book)


def facts(site):
    found = {}
    for key, fact in site.rows("Facts"):
        found.setdefault(key, []).append(fact)
    return found


def test_the_sheet_is_added_with_the_rows_in_the_order_of_the_jobs_sheet(site):
    assert site.run().rows.done == 3
    assert [row[0] for row in site.rows("Facts")] == ["K1", "K1", "K2", "K2", "K3", "K3"]
    assert site.run().rows.unchanged == 3


def test_rows_done_in_several_batches_keep_those_of_the_others(tmp_path):
    site = Site(tmp_path / "w", people(5), Detailed, batch={"strategy": "fixed", "size": 1, "checkpoint_frequency": 1})
    site.run()
    assert set(facts(site)) == {f"K{n}" for n in range(1, 6)}


def test_the_details_of_one_row_are_replaced_and_the_others_stay(site):
    site.run()
    site.cell("B3", "new")
    site.run(keys=("K2",))
    assert facts(site) == {"K1": ["name 1 1", "name 1 2"], "K2": ["new 1", "new 2"], "K3": ["name 3 1", "name 3 2"]}


def test_details_of_a_deleted_row_go_with_the_next_save(site):
    site.run()
    site.edit(lambda sheet: sheet.delete_rows(3))
    site.run()
    assert set(facts(site)) == {"K1", "K3"}


def test_details_of_a_rejected_row_do_not_pass_for_tonights(site):
    site.run()
    site.cell("B3", "bad")
    site.run()
    assert set(facts(site)) == {"K1", "K3"}


def test_an_input_of_some_rows_leaves_the_details_of_all_others(site):
    site.run()
    (site.path / "in.csv").write_text("Key,Name\nK2,new\nK9,z\n")
    site.make_job(Detailed, input="in.csv")
    site.run()
    assert set(facts(site)) == {"K1", "K2", "K3", "K9"}
    assert facts(site)["K2"] == ["new 1", "new 2"]


@pytest.mark.parametrize("rows", [{"A1": "mine"}, {"A3": "below an empty first row"}, {"A1": "Key", "B1": "Other"}])
def test_a_persons_own_sheet_of_that_name_is_refused_before_anything_is_done(site, rows):
    with_sheet(site, "Facts", rows)
    state = site.book.read_bytes()
    with pytest.raises(ConfigurationError, match="'Facts'"):
        site.run()
    assert site.book.read_bytes() == state
    assert not site.ledger_path.exists()


def test_an_empty_sheet_of_that_name_is_taken(site):
    with_sheet(site, "Facts", {})
    assert site.run().rows.done == 3
    assert len(facts(site)) == 3


def test_a_sheet_that_becomes_a_persons_in_mid_run_is_kept_and_so_are_the_results(site):
    class Late(Detailed):
        def process(self, row):
            if row.key == ("K3",):
                with_sheet(site, "Facts", {"A1": "mine"})
            return super().process(row)

    site.use(Late)
    result = site.run()
    assert (result.status, result.exit_code) == ("failed", 6)
    assert openpyxl.load_workbook(site.book)["Facts"]["A1"].value == "mine"
    book = openpyxl.load_workbook(site.book)
    del book["Facts"]
    book.save(site.book)
    site.use(Detailed)
    assert site.run("auto").status == "completed"
    assert len(facts(site)) == 3


def test_reading_and_content_are_inverse_and_leave_out_what_has_no_row(site):
    site.run()
    with Book.open(site.book) as book:
        must_be_ours(book, "facts", FACTS)
        assert list(read_details(book, "Nowhere", FACTS).keys()) == []
        groups = read_details(book, "Facts", FACTS)
    rows = list(content(FACTS, groups.of, ['["K3"]', '["K1"]']).rows)
    assert rows == [["K3", "name 3 1"], ["K3", "name 3 2"], ["K1", "name 1 1"], ["K1", "name 1 2"]]


def test_a_sheet_with_another_number_of_key_columns_than_the_job_is_refused(site):
    site.make_job(Detailed, key=["Key", "Name"])
    with pytest.raises(ConfigurationError, match="2: Key, Name"):
        site.run()


class Longer(Detailed):
    """The next version of it, whose sheet has one column more."""

    version = "2"
    details = {"Facts": DetailSheet((*FACTS.columns, SheetColumn("Doubt")), earlier=(2,))}  # noqa: RUF012

    def process(self, row):
        return RowResult({"Result": "x"}, {"Facts": [[row.key[0], f"{row['Name']} 1", "none"]]})


def test_the_sheet_of_an_earlier_version_with_fewer_columns_is_the_jobs_own(site):
    site.run()
    site.make_job(Longer)
    assert site.run(keys=("K2",)).rows.done == 1
    assert [row for row in site.rows("Facts") if row[0] != "K2"] == [
        [key, f"name {key[1]} {n}", None] for key in ("K1", "K3") for n in (1, 2)
    ]
    assert [row for row in site.rows("Facts") if row[0] == "K2"] == [["K2", "name 2 1", "none"]]
    headers = next(openpyxl.load_workbook(site.book)["Facts"].iter_rows(values_only=True))
    assert headers == ("Key", "Fact", "Doubt")


def test_a_sheet_with_fewer_columns_that_no_earlier_version_had_is_a_persons(site):
    site.make_job(Longer)
    with_sheet(site, "Facts", {"A1": "Key"})
    with pytest.raises(ConfigurationError, match="'Facts'"):
        site.run()
