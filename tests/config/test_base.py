import datetime as dt
from pathlib import Path

import pytest

from batchbook.config import find_base, load_base
from batchbook.errors import ConfigurationError


def base_at(folder: Path, content: str = "") -> Path:
    (folder / "config" / "jobs").mkdir(parents=True, exist_ok=True)
    (folder / "config" / "batchbook.yaml").write_text(content)
    return folder


def messages(folder: Path, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_base(folder, environ or {})
    return [str(finding) for finding in caught.value.findings]


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    base = load_base(tmp_path, {})
    assert base.file is None
    assert base.ledger == tmp_path / "data" / "checkpoints" / "ledger.db"
    assert base.backups_folder == tmp_path / "data" / "backups"
    assert (base.backups.keep, base.backups.daily_days, base.backups.auto_restore) == (10, 30, False)
    assert base.zone is dt.UTC
    assert base.history.details_days == 90
    assert (base.limits.max_part_mib, base.limits.max_ratio) == (4096, 400)


def test_limits_have_bounds(tmp_path: Path) -> None:
    base_at(tmp_path, "limits: {max_part_mib: 16, max_ratio: 1000}\n")
    limits = load_base(tmp_path, {"BATCHBOOK_LIMITS__MAX_RATIO": "900"}).limits
    assert (limits.max_part_mib, limits.max_ratio) == (16, 900)
    base_at(tmp_path, "limits: {max_part_mib: 0, max_ratio: 1}\n")
    assert len(messages(tmp_path)) == 2


def test_paths_count_from_the_base_folder(tmp_path: Path) -> None:
    base_at(tmp_path, "paths: {ledger: x/l.db, logs: /var/log/b}\nworkbooks: {isbn: i.xlsx}\n")
    base = load_base(tmp_path, {"BATCHBOOK_PATHS__REPORTS": "2024"})
    assert base.ledger == tmp_path / "x" / "l.db"
    assert base.log_file == Path("/var/log/b/batchbook.log")
    assert base.workbooks == {"isbn": tmp_path / "i.xlsx"}
    assert base.reports == tmp_path / "2024"


def test_the_nearest_base_above_the_job_counts(tmp_path: Path) -> None:
    outer = base_at(tmp_path)
    inner = base_at(tmp_path / "inner")
    assert find_base(job_file=inner / "config" / "jobs" / "a.yaml", cwd=outer) == inner
    assert find_base(job_file=outer / "config" / "jobs" / "a.yaml", cwd=inner) == outer


def test_without_a_job_the_current_folder_comes_before_the_workbook(tmp_path: Path) -> None:
    here, there, nowhere = base_at(tmp_path / "here"), base_at(tmp_path / "there"), tmp_path / "nowhere"
    (nowhere / "below").mkdir(parents=True)
    book = there / "data" / "book.xlsx"
    assert find_base(workbook=book, cwd=here) == here
    assert find_base(workbook=book, cwd=nowhere) == there
    assert find_base(workbook=nowhere / "below" / "b.xlsx", cwd=nowhere) == nowhere / "below"
    assert find_base(cwd=nowhere) == nowhere


def test_a_job_without_a_base_counts_from_its_own_folder(tmp_path: Path) -> None:
    here = base_at(tmp_path / "here")
    job = tmp_path / "jobs" / "a.yaml"
    job.parent.mkdir()
    assert find_base(job_file=job, cwd=here) == job.parent


def test_everything_wrong_is_said_at_once_with_its_line(tmp_path: Path) -> None:
    base_at(
        tmp_path,
        "timezone: Europe/Berlim\nbackups:\n  keep: 0\n  dayly_days: 3\nbatch: {size: 5}\njob: a\n"
        "defaults: {batch: {concurrency: 99}}\nlinks: {package_index: ftp://x}\nworkbooks: [a]\n",
    )
    said = "\n".join(messages(tmp_path))
    for line, words in (
        (1, "time zone"),
        (3, "backups.keep must be a whole number, 1 or more (found 0)"),
        (4, "did you mean 'daily_days'"),
        (5, "batch stands below defaults:, not here"),
        (6, "job stands in a job file, not here"),
        (7, "defaults.batch.concurrency must be a whole number from 1 to 64 (found 99)"),
        (8, "links.package_index must be an address"),
        (9, "workbooks must be a mapping of names to paths"),
    ):
        assert any(f"line {line}: " in one and words in one for one in said.splitlines()), (line, said)


def test_a_file_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    base_at(tmp_path, "a: [\n")
    assert "batchbook.yaml" in messages(tmp_path)[0]
    base_at(tmp_path, "- a\n")
    assert "mapping" in messages(tmp_path)[0]


def test_a_variable_that_is_no_setting_is_an_error_with_the_one_meant(tmp_path: Path) -> None:
    (said,) = messages(tmp_path, {"BATCHBOOK_BATH__SIZE": "3"})
    assert "BATCHBOOK_BATCH__SIZE" in said
    (said,) = messages(tmp_path, {"BATCHBOOK_QQQQ": "3"})
    assert "is no setting" in said


def test_secrets_and_other_programs_variables_are_left_alone(tmp_path: Path) -> None:
    environ = {"BATCHBOOK_SECRET_TOKEN": "x", "BATCHBOOK_NVD_API_KEY": "x", "PATH": "x", "BATCHBOOK_BATCH__SIZE": "3"}
    assert load_base(tmp_path, environ).folder == tmp_path


def test_the_zone_is_the_one_named(tmp_path: Path) -> None:
    base_at(tmp_path, "timezone: Europe/Berlin\n")
    moment = dt.datetime(2024, 7, 1, tzinfo=load_base(tmp_path, {}).zone)
    assert moment.utcoffset() == dt.timedelta(hours=2)
