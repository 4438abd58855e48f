import json
import pickle
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook import hiding
from batchbook.errors import BatchbookError, Finding


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """What a test has hidden is hidden no longer after it."""
    known, patterns = dict(hiding._known), list(hiding._patterns)
    yield
    hiding._known.clear()
    hiding._known.update(known)
    hiding._patterns[:] = patterns


def test_variables_are_secrets_by_their_name() -> None:
    hiding.learn_environment(
        {"BATCHBOOK_SECRET_A": "alpha-1234", "BATCHBOOK_NVD_API_KEY": "beta-12345", "HOME": "/home/a"}
    )
    assert hiding.hide("alpha-1234 and beta-12345 in /home/a") == "*** and *** in /home/a"


@given(st.text(min_size=6, max_size=30).filter(lambda text: len(text.strip()) >= 6), st.text(max_size=10))
def test_a_secret_is_found_in_every_form_that_a_message_gives_it(secret: str, around: str) -> None:
    hiding._known.clear()
    hiding.learn([("S", secret)])
    for form in (secret, repr(secret), json.dumps(secret), json.dumps(secret, ensure_ascii=False)):
        assert hiding.secret_in(f"{around}{form}{around}")
        assert form not in hiding.hide(form)
    address = f"https://host/?key={quote(secret.encode('utf-8', 'surrogateescape'), safe='')}"
    assert hiding.hide(address) == "https://host/?key=***"


def test_of_two_secrets_the_longer_one_is_hidden_whole() -> None:
    hiding.learn([("A", "abcdef"), ("B", "abcdefghi")])
    assert hiding.hide("abcdefghi abcdef") == "*** ***"


def test_a_short_value_is_not_hidden_for_it_could_be_anything() -> None:
    hiding.learn([("A", "true"), ("B", "     x     ")])
    assert hiding.hide("true x") == "true x"


def test_errors_and_findings_do_not_show_a_secret_and_survive_pickling() -> None:
    hiding.learn([("A", "hush-hush")])
    error = BatchbookError("It is hush-hush.", "Say hush-hush.", findings=[Finding("wrong", value="hush-hush")])
    for said in (str(error), repr(error.args[:2]), json.dumps(error.as_dict()), str(pickle.loads(pickle.dumps(error)))):
        assert "hush" not in said
        assert "***" in said
