import stat

import pytest

from batchbook.batch import kept_file


def test_a_kept_file_is_its_users_alone_and_stays_when_it_is_there(tmp_path):
    path = kept_file(tmp_path / "data" / "cache" / "answers.db")
    path.write_bytes(b"something")
    assert kept_file(path).read_bytes() == b"something"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_where_it_cannot_be_made_the_system_says_why(tmp_path):
    (tmp_path / "cache").write_text("a file in the place of the folder")
    with pytest.raises(OSError, match="cache"):
        kept_file(tmp_path / "cache" / "answers.db")
