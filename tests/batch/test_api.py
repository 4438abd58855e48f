import pytest

import batchbook
from batchbook.errors import ConfigurationError


def test_a_program_runs_a_job_with_settings_of_its_own(site):
    result = batchbook.run_job(site.path / "job.yaml", batch__size=1)
    assert (result.status, result.batches) == ("completed", 6)
    assert batchbook.run_job(str(site.path / "job.yaml")).rows.unchanged == 6


def test_it_goes_on_with_an_unfinished_run_unless_told_otherwise(site):
    site.interrupted(2)
    assert batchbook.run_job(site.path / "job.yaml").resumed["rows_kept"] == 2
    site.book.unlink()
    site.make_book([["K1", "a"]])
    site.interrupted(1)
    assert batchbook.run_job(site.path / "job.yaml", resume="fresh").resumed is None


def test_rows_can_be_chosen_and_a_dry_run_asked_for(site):
    result = batchbook.run_job(site.path / "job.yaml", keys=["K2"], dry_run=True)
    assert (result.status, result.rows.selected) == ("dry_run", 1)


def test_a_setting_that_does_not_exist_is_an_error(site):
    with pytest.raises(ConfigurationError):
        batchbook.run_job(site.path / "job.yaml", bacth__size=1)
