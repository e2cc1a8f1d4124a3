"""Waiting, on a clock that only the waiting itself moves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_ci.live import LiveState, LiveVerdict
from gitops_ci.watch import Clock, settled, until
from tests.support.promotions import NOON

PENDING, WAITING = LiveState.PENDING, LiveState.WAITING
LIVE, FAILED, OVERTAKEN = LiveState.LIVE, LiveState.FAILED, LiveState.OVERTAKEN
SETTLE = timedelta(seconds=5)


@dataclass
class World:
    """Shows one state after the other, the last one for ever; a look may take time."""

    states: list[LiveState]
    takes: float = 0.0
    time: datetime = NOON
    looks: list[float] = field(default_factory=list)
    told: list[LiveState] = field(default_factory=list)

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.time, sleep=self.sleep)

    @property
    def spent(self) -> float:
        return (self.time - NOON).total_seconds()

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.time += timedelta(seconds=seconds)

    def look(self) -> LiveVerdict:
        self.looks.append(self.spent)
        self.time += timedelta(seconds=self.takes)
        state = self.states[min(len(self.looks), len(self.states)) - 1]
        return LiveVerdict(state, f"it is {state}")

    def wait(self, timeout: float) -> LiveVerdict:
        return until(
            self.look,
            decided=lambda verdict: verdict.state not in {PENDING, WAITING},
            timeout=timedelta(seconds=timeout),
            clock=self.clock,
            changed=lambda verdict: self.told.append(verdict.state),
        )


def world(*states: LiveState, takes: float = 0.0) -> World:
    return World(list(states), takes)


def pauses(times: Iterable[float]) -> list[float]:
    return [after - before for before, after in pairwise(times)]


@pytest.mark.parametrize("state", [LIVE, FAILED, OVERTAKEN])
def test_a_verdict_stands_when_two_looks_agree(state: LiveState) -> None:
    seen = world(state, state)
    assert settled(seen.look, settle=SETTLE, clock=seen.clock).state is state
    assert seen.looks == [0.0, 5.0]


@pytest.mark.parametrize("state", [PENDING, WAITING])
def test_what_decides_nothing_needs_one_look(state: LiveState) -> None:
    seen = world(state, LIVE)
    assert settled(seen.look, settle=SETTLE, clock=seen.clock).state is state
    assert seen.looks == [0.0]


@pytest.mark.parametrize(
    ("first", "second"),
    [(LIVE, FAILED), (FAILED, LIVE), (LIVE, PENDING), (OVERTAKEN, LIVE), (FAILED, WAITING)],
)
def test_two_looks_that_differ_are_no_verdict(first: LiveState, second: LiveState) -> None:
    seen = world(first, second)
    verdict = settled(seen.look, settle=SETTLE, clock=seen.clock)
    assert verdict.state is PENDING
    assert f"{first}, then {second}" in verdict.message


def test_what_is_decided_at_once_is_told_at_once() -> None:
    seen = world(LIVE)
    assert seen.wait(600).state is LIVE
    assert (seen.looks, seen.spent, seen.told) == ([0.0], 0.0, [LIVE])


@pytest.mark.parametrize("timeout", [0, -5])
def test_no_time_is_one_look(timeout: float) -> None:
    seen = world(PENDING, LIVE)
    assert seen.wait(timeout).state is PENDING
    assert (seen.looks, seen.spent) == ([0.0], 0.0)


def test_it_looks_every_ten_seconds_in_the_first_minute_and_every_thirty_afterwards() -> None:
    seen = world(PENDING)
    seen.wait(180)
    assert seen.looks == [0, 10, 20, 30, 40, 50, 60, 90, 120, 150, 180]


def test_the_last_look_is_when_the_time_is_over() -> None:
    seen = world(PENDING)
    assert seen.wait(25).state is PENDING
    assert seen.looks == [0, 10, 20, 25]


def test_a_change_is_seen_with_the_next_look() -> None:
    seen = world(PENDING, PENDING, LIVE)
    assert seen.wait(600).state is LIVE
    assert seen.spent == 20


def test_people_are_told_every_new_sentence_once() -> None:
    seen = world(PENDING, PENDING, WAITING, WAITING, PENDING, LIVE)
    seen.wait(600)
    assert seen.told == [PENDING, WAITING, PENDING, LIVE]


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    states=st.lists(st.sampled_from(LiveState), min_size=1, max_size=8),
    takes=st.floats(0, 40),
    timeout=st.floats(0, 900),
)
def test_waiting_ends_in_time_and_asks_at_a_bearable_rate(
    states: list[LiveState], takes: float, timeout: float
) -> None:
    seen = world(*states, takes=takes)
    verdict = seen.wait(timeout)
    assert seen.spent <= timeout + takes + 0.001
    assert verdict.state not in {PENDING, WAITING} or seen.spent >= timeout - 0.001
    later = [pause for at, pause in zip(seen.looks, pauses(seen.looks), strict=False) if at >= 60]
    assert all(pause >= 29.999 for pause in later[:-1])
    assert seen.told[-1] is verdict.state
