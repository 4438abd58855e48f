from pathlib import Path

import pytest

from batchbook.config.yamlfile import parse_yaml, read_settings, read_yaml
from batchbook.errors import ConfigurationError


def findings(content: str | bytes) -> list[tuple[int | None, str]]:
    raw = content.encode() if isinstance(content, str) else content
    with pytest.raises(ConfigurationError) as caught:
        parse_yaml(raw, Path("job.yaml"))
    assert all(one.file == "job.yaml" for one in caught.value.findings)
    return [(one.line, one.message) for one in caught.value.findings]


def test_every_key_and_value_has_its_line() -> None:
    file = parse_yaml(b"job: a\nbatch:\n  size:\n    10\nkey:\n  - a\n  - b\n", Path("job.yaml"))
    assert file.data == {"job": "a", "batch": {"size": 10}, "key": ["a", "b"]}
    assert file.line(("batch", "size")) == 4
    assert file.line(("batch", "size"), of_key=True) == 3
    assert file.line(("key", 1)) == 7
    assert file.line(("batch", "nothing", "below")) == 3


def test_doubled_keys_are_all_named_with_both_lines() -> None:
    assert findings("a: 1\na: 2\nb:\n  c: 1\n  c: 2\n") == [
        (2, "the key 'a' stands twice, first on line 1"),
        (5, "the key 'c' stands twice, first on line 4"),
    ]


def test_tabs_are_all_named() -> None:
    found = findings("a:\n\tb: 1\n\tc: 2\n")
    assert [line for line, _ in found] == [2, 3]
    assert "spaces" in found[0][1]


def test_bad_indentation_gives_line_and_column() -> None:
    ((line, message),) = findings("a: 1\n b: 2\n")
    assert line == 2
    assert message.startswith("column 3: ")
    assert "indentation" in message


def test_keys_that_yaml_takes_for_something_else_are_refused() -> None:
    found = findings("on: 1\n2024: x\n? [a]\n: b\n<<: {a: 1}\n")
    assert [line for line, _ in found] == [1, 2, 3, 5]
    assert "put it in quotes" in found[0][1]


@pytest.mark.parametrize("content", ["a: !!python/object:os.system x\n", "a: !other x\n", "a: 2024-13-45\n"])
def test_tags_and_impossible_dates_are_findings(content: str) -> None:
    assert findings(content)[0][0] == 1


def test_what_is_no_text_is_a_finding() -> None:
    assert findings(b"a: 1\nb: \xff\n")[0][0] == 2


def test_aliases_cannot_make_a_small_file_huge() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "huge" in findings("\n".join(lines))[0][1]
    assert "endless" in findings("a: &a [*a]\n")[0][1]


def test_an_empty_file_is_nothing() -> None:
    assert parse_yaml(b"# only words\n", Path("job.yaml")).data is None


def test_a_file_of_two_documents_is_refused() -> None:
    assert "one document" in findings("a: 1\n---\nb: 2\n")[0][1]


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    assert findings("[" * 5000)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ConfigurationError, match=path.name):
            read_yaml(path)


def test_settings_are_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("- 1\n")
    with pytest.raises(ConfigurationError, match="holds no settings"):
        read_settings(tmp_path / "a.yaml")


@pytest.mark.parametrize("value", ["!!bool x", "!!int ''", "!!timestamp x", "!!float x"])
def test_a_tag_that_does_not_fit_its_value_is_named_with_its_line(value: str) -> None:
    ((line, message),) = findings(f"a: 1\nb: {value}\n")
    assert line == 2
    assert "cannot be read" in message
