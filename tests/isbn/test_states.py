import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook.errors import EXIT_FAILED
from batchbook.isbn.records import STATUSES
from batchbook.isbn.states import COMMANDS, FREE, SPENT, STEPS, StepRefused, allowed, step

# ISB-6.5, word for word.
RULES = """
available -> reserved | scheduled
reserved -> available | scheduled
scheduled -> assigned | reserved | available
assigned -> published | cancelled
published -> cancelled
"""
AS_REQUIRED = {
    (state.strip(), to.strip())
    for state, targets in (line.split("->") for line in RULES.strip().splitlines())
    for to in targets.split("|")
}


@pytest.mark.parametrize(("current", "wanted"), list(itertools.product(STATUSES, STATUSES)))
def test_exactly_the_required_steps_are_allowed(current, wanted):
    if (current, wanted) in AS_REQUIRED:
        assert step(current, wanted) == wanted
        return
    with pytest.raises(StepRefused) as caught:
        step(current, wanted, "978-1-60888-000-3")
    error = caught.value
    assert error.exit_code == EXIT_FAILED
    assert error.code == "step-refused"
    assert "978-1-60888-000-3" in error.what
    assert current in error.what
    for to in STATUSES:
        named = f"{to} (`batchbook isbn {COMMANDS[to]}`)" in error.advice
        assert named == ((current, to) in AS_REQUIRED)
    if current == "cancelled":
        assert "for ever" in error.advice


def test_a_number_without_a_row_is_available():
    assert allowed(None) == allowed("available") == STEPS[FREE]
    assert step(None, "scheduled") == "scheduled"
    with pytest.raises(StepRefused):
        step(None, "assigned")


def test_states_are_those_of_the_sheet():
    assert set(STEPS) == set(COMMANDS) == set(STATUSES)


def test_unknown_states_are_a_mistake_of_the_caller():
    with pytest.raises(KeyError):
        step("available", "sold")
    with pytest.raises(KeyError):
        step("sold", "available")


@given(st.lists(st.sampled_from(STATUSES), max_size=30))
def test_whatever_is_asked_for_a_spent_number_is_never_available_again(wishes):
    state, spent = "available", False
    for wanted in wishes:
        try:
            state = step(state, wanted)
        except StepRefused:
            assert (state, wanted) not in AS_REQUIRED
        spent = spent or state in SPENT
        assert not (spent and state not in SPENT)
