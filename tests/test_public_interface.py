"""What other programs may rely on."""

import pickle
import subprocess
import sys

import pytest

import batchbook

PROMISED = {
    "BatchbookError",
    "DetailSheet",
    "EditReceipt",
    "JobContext",
    "Link",
    "Processor",
    "Rejected",
    "Row",
    "RowResult",
    "RunResult",
    "SheetColumn",
    "Transient",
    "Unknown",
    "WorkbookError",
    "edit_workbook",
    "run_job",
    "sheet_names",
}


def test_the_public_names_are_these_and_each_is_there():
    assert set(batchbook.__all__) == PROMISED
    for name in PROMISED:
        assert getattr(batchbook, name) is not None


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = batchbook.nonsense


def test_importing_batchbook_loads_neither_the_engine_nor_openpyxl():
    code = "import sys, batchbook; print([m for m in ('openpyxl', 'pydantic', 'batchbook.batch') if m in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", [batchbook.BatchbookError, batchbook.WorkbookError])
def test_errors_survive_pickling_with_all_they_say(kind):
    error = pickle.loads(pickle.dumps(kind("what happened", "what to do")))
    assert (type(error), error.what, error.advice) == (kind, "what happened", "what to do")


def test_every_kind_of_error_has_a_code_of_its_own_and_an_exit_code():
    def kinds(kind):
        return {kind}.union(*(kinds(below) for below in kind.__subclasses__()))

    found = [one for one in kinds(batchbook.BatchbookError) if one.__module__ == "batchbook.errors"]
    assert len({one.code for one in found}) == len(found)
    assert {one.exit_code for one in found} <= {1, 2, 4, 5, 6}
