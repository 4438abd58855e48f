from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from batchbook.storage.temporary import is_temporary_of, temporary_for, temporary_name

TEXT = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..")
)


@given(TEXT, TEXT, TEXT)
def test_a_temporary_file_is_known_by_its_target_and_by_no_other(one: str, two: str, label: str) -> None:
    name = temporary_name(Path("/x") / "a" / one, label)
    assert is_temporary_of(Path(one), name)
    if Path(one).name != Path(two).name:
        assert not is_temporary_of(Path(two), name)
        assert not is_temporary_of(Path(f"{one}.{two}"), name)


def test_a_temporary_file_is_gone_unless_published(tmp_path: Path) -> None:
    target = tmp_path / "a"
    with temporary_for(target, "x") as temporary:
        temporary.fill(lambda out: out.write(b"content"))
        assert temporary.path.exists()
        assert not temporary.published
    assert list(tmp_path.iterdir()) == []
    with temporary_for(target, "x") as temporary:
        temporary.fill(lambda out: out.write(b"content"))
        temporary.sync()
        temporary.publish()
        assert temporary.published
    assert list(tmp_path.iterdir()) == [target]
    assert target.read_bytes() == b"content"


def test_a_stray_of_the_same_name_makes_way(tmp_path: Path) -> None:
    target = tmp_path / "a"
    (tmp_path / temporary_name(target, "x")).write_text("stray")
    with temporary_for(target, "x") as temporary:
        temporary.fill(lambda out: out.write(b"new"))
        temporary.publish()
    assert target.read_bytes() == b"new"
