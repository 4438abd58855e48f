import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook.batch.strategies import MOST_PAUSES, Fixed, MemoryAdaptive, TimeBased, strategy_for
from batchbook.config import BatchSettings


class Memory:
    """A machine whose memory is as full as the test says."""

    def __init__(self, *pressures: float | None) -> None:
        self.pressures = list(pressures)

    def pressure(self) -> float | None:
        return self.pressures.pop(0) if len(self.pressures) > 1 else self.pressures[0]


def sizes(strategy, count):
    return [strategy.next_batch().rows for _ in range(count)]


def test_fixed_gives_exactly_the_size_asked_for():
    assert sizes(Fixed(7), 3) == [7, 7, 7]


def test_time_based_gives_seconds_and_saves_each_batch():
    strategy = TimeBased(300)
    plan = strategy.next_batch()
    assert (plan.rows, plan.seconds, strategy.saves_every_batch) == (None, 300, True)


def test_memory_above_the_threshold_halves_the_batch_and_saves_what_is_pending():
    strategy = MemoryAdaptive(16, 0.8, Memory(0.9), [].append)
    plans = [strategy.next_batch() for _ in range(4)]
    assert [plan.rows for plan in plans] == [8, 4, 2, 1]
    assert all(plan.save_before for plan in plans)


def test_between_the_dead_band_and_the_threshold_nothing_moves():
    strategy = MemoryAdaptive(16, 0.8, Memory(0.9, 0.6), [].append)
    assert sizes(strategy, 4) == [8, 8, 8, 8]


def test_batches_grow_back_when_memory_is_free():
    strategy = MemoryAdaptive(10, 0.8, Memory(0.9, 0.9, 0.4), [].append)
    assert sizes(strategy, 6) == [5, 2, 4, 8, 10, 10]


def test_the_ladder_ends_in_single_rows_with_a_warning_and_never_gets_stuck():
    warnings: list[str] = []
    strategy = MemoryAdaptive(2, 0.8, Memory(0.95), warnings.append)
    plans = [strategy.next_batch() for _ in range(MOST_PAUSES + 6)]
    assert all(plan.rows == 1 for plan in plans)
    assert sum(plan.pause > 0 for plan in plans) == MOST_PAUSES
    assert plans[-1].pause == 0
    assert sum("one row at a time" in warning for warning in warnings) == 1


@given(st.integers(1, 100), st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_whatever_memory_does_a_batch_has_between_one_row_and_the_size_asked_for(size, pressures):
    strategy = MemoryAdaptive(size, 0.8, Memory(*pressures), lambda _: None)
    assert all(1 <= rows <= size for rows in sizes(strategy, len(pressures)))


@pytest.mark.parametrize(
    "settings",
    [
        {"strategy": "memory-adaptive", "memory_threshold": 1.7},
        {"strategy": "time-based", "time_based_interval": -1.0},
        {"strategy": "fixed", "size": 0},
    ],
)
def test_a_parameter_out_of_range_makes_it_fixed_and_is_named(settings):
    strategy, problems = strategy_for(BatchSettings(**settings), lambda _: None, Memory(0.1))
    assert strategy.name == "fixed"
    assert len(problems) == 1
    assert 1 <= strategy.next_batch().rows <= 100


def test_a_machine_without_memory_figures_makes_it_fixed_and_says_so():
    strategy, problems = strategy_for(BatchSettings(), lambda _: None, Memory(None))
    assert strategy.name == "fixed"
    assert "no memory figures" in problems[0]
