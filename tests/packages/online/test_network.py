from __future__ import annotations

import logging
from pathlib import Path

import httpx
import pytest

from batchbook.packages.online.network import basic_auth


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path / ".netrc"


def sent(auth: httpx.Auth | None, host: str) -> str | None:
    assert auth is not None
    request = next(auth.sync_auth_flow(httpx.Request("GET", f"https://{host}/")))
    return request.headers.get("Authorization")


def test_credentials_of_netrc_are_those_of_their_host(netrc: Path) -> None:
    netrc.write_text("machine ours.test login ann password hidden\n")
    netrc.chmod(0o600)
    auth = basic_auth("", "")
    assert sent(auth, "ours.test") is not None
    assert sent(auth, "other.test") is None
    assert sent(basic_auth("bob", "own"), "other.test") is not None


def test_without_netrc_there_are_no_credentials(netrc: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert basic_auth("", "") is None
    assert not caplog.records


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("machine ours.test login ann password hidden\n", 0o644),
        ("machine ours.test hidden ann\n", 0o600),
        ("hidden", 0o600),
    ],
)
def test_a_netrc_that_cannot_be_used_is_told_without_what_stands_in_it(
    netrc: Path, caplog: pytest.LogCaptureFixture, text: str, mode: int
) -> None:
    netrc.write_text(text)
    netrc.chmod(mode)
    with caplog.at_level(logging.WARNING, "batchbook"):
        assert basic_auth("", "") is None
    assert "~/.netrc are not used" in caplog.text
    assert "hidden" not in caplog.text
