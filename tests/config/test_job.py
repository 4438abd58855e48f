from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.config import JobConfig, Select, load_job
from batchbook.errors import ConfigurationError

LEAST = "job: review\nworkbook: data/book.xlsx\nkey: [name]\nprocessor: work:do\nwrites: [result]\n"


def job_at(folder: Path, more: str = "", least: str = LEAST) -> Path:
    path = folder / "config" / "jobs" / "review.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(least + more)
    return path


def base_at(folder: Path, content: str = "") -> None:
    (folder / "config").mkdir(parents=True, exist_ok=True)
    (folder / "config" / "batchbook.yaml").write_text(content)


def load(folder: Path, more: str = "", environ: dict[str, str] | None = None, **overrides: object) -> JobConfig:
    dotted = {name.replace("__", "."): value for name, value in overrides.items()}
    return load_job(job_at(folder, more), dotted, environ or {})


def complaints(folder: Path, more: str, least: str = LEAST, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_job(job_at(folder, more, least), None, environ or {})
    assert caught.value.exit_code == 2
    return [str(finding).replace(str(folder), "") for finding in caught.value.findings]


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    job = load(tmp_path)
    assert job.workbook == job.path.parent / "data" / "book.xlsx"
    assert (job.batch.size, job.batch.checkpoint_frequency, job.batch.max_retry_attempts) == (10, 5, 3)
    assert job.select == Select(mode="all")
    assert job.fail_on == ("rejected", "failed", "gone")
    assert job.on_person_edit("result") == "keep"
    assert job.headers("result") == ("result",)
    assert job.strategy_problems() == []


def test_paths_count_from_the_base_folder(tmp_path: Path) -> None:
    base_at(tmp_path)
    job = load(tmp_path, "input: in.csv\n", output="out.xlsx")
    assert job.base.folder == tmp_path
    assert job.workbook == tmp_path / "data" / "book.xlsx"
    assert job.input == tmp_path / "in.csv"
    assert job.target == job.output == tmp_path / "out.xlsx"


def test_the_example_of_the_documentation_is_a_job(tmp_path: Path) -> None:
    example = """\
job: package-review
workbook: data/packages.xlsx
sheet: Packages
header_row: 3
key: [package_name]
columns: {package_name: "Package Name", version: Version, recommendation: [Recommendation, Advice]}
processor: batchbook.packages:PackageReview
reads: [package_name, version]
writes: [recommendation]
select: {stale: 7d}
batch: {strategy: memory-adaptive, size: 10, checkpoint_frequency: 5, memory_threshold: 0.8,
        time_based_interval: 300, max_retry_attempts: 3, concurrency: 5, max_batch_size: 100}
save: {max_overhead: 0.05}
fail_on: [rejected, failed, gone]
marks: {status: Status, reason: Reason, checked_at: "Checked at"}
on_problem: clear
on_person_edit: keep
on_bad_key: reject
on_open: refuse
conflicts_sheet: false
resume_max_age: 24h
options: {source: {kind: file}}
"""
    job = load_job(job_at(tmp_path, "", example), None, {})
    assert job.headers("recommendation") == ("Recommendation", "Advice")
    assert job.select.mode == "stale"
    assert job.options == {"source": {"kind": "file"}}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("workbok: a", "did you mean 'workbook'"),
        ("output: a", "output is not known"),
        ("header_row: '3'", "header_row must be a row number from 1 to 1048576 (found '3')"),
        ("header_row: 0", "found 0"),
        ("sheet: 2024", "put it in quotes"),
        ("sheet: ''", "sheet must be the name of a sheet"),
        ("reads: name", "reads must be a list"),
        ("reads: [a, a]", "names a more than once"),
        ("reads: [a, 1]", "reads[2] must be text"),
        ("select: some", "select must be all, blank or {stale: DURATION}"),
        ("select: {stale: 7}", "select must be"),
        ("select: {stale: soon}", "'soon' is no duration"),
        ("select: {stale: 7d}", "needs marks.checked_at"),
        (
            "batch: {strategy: time_based}",
            "must be one of fixed, memory-adaptive, time-based; did you mean 'time-based'",
        ),
        ("batch: {size: '10'}", "batch.size must be a whole number"),
        ("batch: {size: 1.5}", "batch.size must be a whole number"),
        ("batch: {size: true}", "batch.size must be a whole number"),
        ("batch: {checkpoint_frequency: 0}", "batch.checkpoint_frequency must be"),
        ("batch: {max_batch_size: 10001}", "batch.max_batch_size must be a whole number from 1 to 10000"),
        ("batch: {max_retry_attempts: 0}", "batch.max_retry_attempts must be"),
        ("batch: {concurrency: 65}", "from 1 to 64 (found 65)"),
        ("batch: {memory_threshold: high}", "batch.memory_threshold must be a number"),
        ("batch: {sise: 3}", "batch.sise is not known; did you mean 'size'"),
        ("batch: 5", "batch must be a mapping"),
        ("save: {max_overhead: 0}", "save.max_overhead must be"),
        ("save: {max_overhead: .nan}", "save.max_overhead must be"),
        ("save: {max_overhead: 1.1}", "save.max_overhead must be"),
        ("fail_on: [faild]", "did you mean 'failed'"),
        ("fail_on: rejected", "fail_on must be a list"),
        ("marks: {status: name}", "marks.status names 'name', which is part of the key"),
        ("marks: {when: x}", "marks.when is not known"),
        ("on_problem: leave", "must be one of clear, keep"),
        ("on_person_edit: ask", "must be keep or overwrite"),
        ("on_person_edit: {result: ask}", "wrong for result"),
        ("on_person_edit: {resuld: keep}", "does not write; did you mean 'result'"),
        ("conflicts_sheet: maybe", "must be true or false"),
        ("resume_max_age: 24", "must be a duration"),
        ("resume_max_age: 0h", "must be a duration"),
        ("options: [a]", "options must be"),
        ("columns: {a: 5}", "must give a a header"),
        ("columns: {a: X, b: X}", "must not give the header 'X' to both a and b"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path: Path, line: str, words: str) -> None:
    (said,) = complaints(tmp_path, line + "\n")
    assert said.startswith("/config/jobs/review.yaml, line 6: ")
    assert words in said


def test_what_is_missing_is_all_named(tmp_path: Path) -> None:
    said = complaints(tmp_path, "", "sheet: a\n")
    assert [one.split(": ", 1)[1].split(":")[0] for one in said] == [
        f"{key} is missing" for key in ("job", "workbook", "key", "processor")
    ]


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    base_at(tmp_path, "timezone: nowhere\n")
    said = complaints(tmp_path, "onproblem: x\nbatch: {size: x}\n", environ={"BATCHBOOK_NOSUCH": "1"})
    assert len(said) == 4


def test_a_key_cannot_be_written(tmp_path: Path) -> None:
    (said,) = complaints(tmp_path, "", LEAST.replace("[result]", "[result, name]"))
    assert "writes names 'name', which is part of the key" in said


@pytest.mark.parametrize(
    ("batch", "count"),
    [
        ("strategy: fixed, size: 500", 1),
        ("strategy: fixed, size: 0", 1),
        ("strategy: fixed, size: 500, max_batch_size: 1000", 0),
        ("strategy: time-based, time_based_interval: 0", 1),
        ("strategy: time-based, time_based_interval: .inf", 1),
        ("strategy: memory-adaptive, memory_threshold: 1.5", 1),
        ("strategy: memory-adaptive, memory_threshold: .nan", 1),
        ("strategy: memory-adaptive, memory_threshold: 1", 0),
    ],
)
def test_a_strategy_parameter_out_of_range_is_a_problem_and_no_error(tmp_path: Path, batch: str, count: int) -> None:
    job = load(tmp_path, f"batch: {{{batch}}}\n")
    assert len(job.strategy_problems()) == count
    assert 1 <= job.batch.usable_size <= job.batch.max_batch_size


def test_a_parameter_of_another_strategy_is_only_mentioned(tmp_path: Path) -> None:
    job = load(tmp_path, "batch: {strategy: time-based, memory_threshold: 7}\n")
    assert job.strategy_problems() == []
    assert "memory_threshold" in job.idle_problems()[0]


def test_strict_makes_strategy_problems_errors(tmp_path: Path) -> None:
    said = complaints(tmp_path, "batch:\n  strict: true\n  size: 500\n  memory_threshold: 2\n")
    assert ["line 8" in said[0], "line 9" in said[1]] == [True, True]


def test_overrides_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    base_at(tmp_path, "defaults: {batch: {size: 2, concurrency: 2, strategy: fixed}, on_problem: keep}\n")
    environ = {"BATCHBOOK_BATCH__CONCURRENCY": "4", "BATCHBOOK_BATCH__SIZE": "4"}
    job = load(tmp_path, "batch: {concurrency: 3}\n", environ, batch__size=5)
    assert (job.batch.size, job.batch.concurrency, job.batch.strategy, job.on_problem) == (5, 4, "fixed", "keep")


def test_the_environment_reads_text_as_text_and_the_rest_as_yaml(tmp_path: Path) -> None:
    environ = {
        "BATCHBOOK_SHEET": "2024",
        "BATCHBOOK_WRITES": "[result, b]",
        "BATCHBOOK_OPTIONS__APIURL": "x",
        "BATCHBOOK_MARKS__STATUS": "1",
    }
    job = load(tmp_path, "options: {apiUrl: y}\n", environ)
    assert job.sheet == "2024"
    assert job.writes == ("result", "b")
    assert job.options == {"apiUrl": "x"}
    assert job.marks.status == "1"


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    (said,) = complaints(tmp_path, "", environ={"BATCHBOOK_BATCH__SIZE": "many"})
    assert said.startswith("environment variable BATCHBOOK_BATCH__SIZE: batch.size must be")
    (said,) = complaints(tmp_path, "", environ={"BATCHBOOK_BATCH__SIZE": "["})
    assert "cannot be read as YAML" in said


@pytest.mark.parametrize("text", ["2024-13-45", "!!timestamp x", "!!bool x", "!!int ''", "[" * 5000])
def test_a_variable_that_makes_no_value_is_named_whatever_it_holds(tmp_path: Path, text: str) -> None:
    (said,) = complaints(tmp_path, "", environ={"BATCHBOOK_OPTIONS__X": text})
    assert said.startswith("environment variable BATCHBOOK_OPTIONS__X: ")
    assert "cannot be read as YAML" in said or "nested too deeply" in said


def test_overrides_are_checked_like_the_file(tmp_path: Path) -> None:
    for name, value in (("batch.size", "x"), ("batch.sise", 3), ("bath.size", 3), ("output", 5), ("", 5)):
        with pytest.raises(ConfigurationError) as caught:
            load_job(job_at(tmp_path), {name: value}, {})
        assert (caught.value.findings[0].file or "").startswith("override")


def test_a_mapping_as_override_joins_the_section(tmp_path: Path) -> None:
    job = load_job(job_at(tmp_path, "batch: {size: 3}\n"), {"batch": {"concurrency": 2}, "input": Path("x.csv")}, {})
    assert (job.batch.size, job.batch.concurrency) == (3, 2)
    assert job.input == job.base.folder / "x.csv"


def test_the_definition_hash_changes_with_what_matters_for_results(tmp_path: Path) -> None:
    plain = load(tmp_path).definition_hash
    for same in ("batch: {size: 3}\n", "save: {max_overhead: 1}\n", "on_open: wait\n", "resume_max_age: 1d\n"):
        assert load(tmp_path, same).definition_hash == plain
    seen = {plain}
    for other in (
        "sheet: x\n",
        "options: {a: 1}\n",
        "columns: {result: R}\n",
        "marks: {status: S}\n",
        "select: blank\n",
    ):
        seen.add(load(tmp_path, other).definition_hash)
    assert len(seen) == 6


def test_the_definition_hash_says_the_same_of_a_folder_that_was_moved(tmp_path: Path) -> None:
    hashes = {load(tmp_path / name, "columns: {result: R}\n").definition_hash for name in ("a", "b")}
    hashes.add(load(tmp_path / "c", "columns: {result: [R]}\n").definition_hash)
    assert len(hashes) == 1


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=8),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
        ),
        max_size=4,
    )
)
def test_no_content_of_a_job_makes_a_crash(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, object]
) -> None:
    import yaml

    folder = tmp_path_factory.mktemp("job")
    for key in ("batch", "columns", "select", "on_person_edit", "options", "marks", "key"):
        more = yaml.safe_dump({key: content})
        try:
            load_job(job_at(folder, more, LEAST.replace("key: [name]\n", "")), None, {})
        except ConfigurationError as error:
            assert error.findings


def test_a_variable_is_read_as_strictly_as_a_file(tmp_path: Path) -> None:
    lists = ["[&a0 [x, x, x, x, x, x, x, x, x, x]"]
    lists += [f"&a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    for text, part in (
        (", ".join(lists) + "]", "huge"),
        ("{a: 1, a: 2}", "the key 'a' stands twice"),
        ("!!python/object/apply:os.system [x]", "the tag"),
        ("{<<: {a: 1}}", "merge keys"),
        ("\udcff", "no text"),
    ):
        (said,) = complaints(tmp_path, "", environ={"BATCHBOOK_OPTIONS__X": text})
        assert said.startswith("environment variable BATCHBOOK_OPTIONS__X: cannot be read as YAML: ")
        assert part in said
