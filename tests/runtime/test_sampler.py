"""The sampler on a clock of the test's own: no second passes here."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import pytest

from warmstart.runtime.sampler import MOST, Sampler


class Time(threading.Event):
    """A clock that only waiting moves, and the end of the block when it says `end`."""

    def __init__(self, end: float, late: float = 0.0) -> None:
        super().__init__()
        self.now, self._end, self._late = 1000.0, 1000.0 + end, late

    def __call__(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        assert timeout > 0
        self.now = min(self.now + timeout + self._late, self._end)
        return self.now == self._end


class Machine:
    """Tells the time as its load; breaks down, or takes its time, at the reading of that number."""

    gpus = ("a GPU",)

    def __init__(self, time: Time, breaks: int = 0, slow: int = 0) -> None:
        self.time, self.breaks, self.slow = time, breaks, slow
        self.readings, self.closed = 0, False

    def read(self) -> Mapping[str, float]:
        self.readings += 1
        if self.readings == self.breaks:
            raise OSError("the driver has gone")
        found = {"load": self.time.now - 1000}
        if self.readings == self.slow:
            self.time.now += 2.5
        return found if self.readings % 2 else found | {"seldom": 1.0}


def opened(machine: Machine) -> Callable[[], AbstractContextManager[Machine]]:
    @contextmanager
    def door() -> Iterator[Machine]:
        try:
            yield machine
        finally:
            machine.closed = True

    return door


def sampled(machine: Machine) -> dict[str, dict[int, float]]:
    with Sampler(opened(machine), machine.time, machine.time) as sampler:
        pass  # its end waits for the thread, which goes through all of the time
    assert machine.closed
    assert sampler.gpus == ("a GPU",)
    return sampler.by_metric()


def test_once_a_second() -> None:
    assert sampled(Machine(Time(4.5))) == {
        "load": {1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0},
        "seldom": {2: 1.0, 4: 1.0},
    }


def test_means_are_of_the_samples_that_overlap() -> None:
    """Load is n at second n, and stands for what was since second n - 1."""
    machine = Machine(Time(4.5))
    with Sampler(opened(machine), machine.time, machine.time) as sampler:
        pass
    assert sampler.means([(0.2, 0.3)]) == {"load": 1.0, "seldom": 1.0}
    assert sampler.means([(1.0, 1.5), (1.2, 3.5)])["load"] == 3.0  # 2, 3, 4
    assert sampler.means([(1.0, 2.0), (3.0, 4.0)])["load"] == 3.0  # 2, 4
    assert sampler.means([(7.0, 8.0)])["load"] == 4.0  # the last one
    assert sampler.means([(-9.0, -1.0)]) == sampler.means([]) == {}


def test_a_block_that_is_over_at_once_has_one_sample() -> None:
    assert sampled(Machine(Time(0.25))) == {"load": {1: 0.25}}


def test_a_long_block_keeps_every_other_sample_and_takes_fewer() -> None:
    """601 at second 601, of which the 300 even ones stay; 601 again at second 1202."""
    machine = Machine(Time(1500.5))
    seconds = list(sampled(machine)["load"])
    assert seconds == list(range(4, 1501, 4))
    assert machine.readings == 601 + 301 + 75
    assert len(sampled(Machine(Time(86_400)))["load"]) in range(MOST // 2, MOST + 1)


def test_a_sample_that_comes_late_stands_where_it_was_taken() -> None:
    assert sampled(Machine(Time(5.5, late=1.25)))["load"] == {2: 2.25, 4: 4.25}


def test_a_reading_that_takes_long_costs_only_samples() -> None:
    assert list(sampled(Machine(Time(8.5), slow=3))["load"]) == [1, 2, 3, 6, 7, 8]


def test_a_machine_that_breaks_down_leaves_what_it_told() -> None:
    assert sampled(Machine(Time(9.5), breaks=4))["load"] == {1: 1.0, 2: 2.0, 3: 3.0}


def test_a_machine_that_cannot_be_read_at_all_costs_nothing() -> None:
    def door() -> AbstractContextManager[Machine]:
        raise PermissionError

    with Sampler(door) as sampler:
        pass
    assert sampler.by_metric() == {}
    assert sampler.gpus == ()


def test_a_block_that_fails_ends_the_thread() -> None:
    before = threading.active_count()
    machine = Machine(Time(1.0))
    sampler = Sampler(opened(machine), machine.time)  # with an event that really waits

    def fail() -> None:
        with sampler:
            assert threading.active_count() == before + 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert threading.active_count() == before
    assert machine.closed
    assert sampler.by_metric() == {"load": {1: 0.0}}
