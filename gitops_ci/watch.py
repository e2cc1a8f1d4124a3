"""Waiting: two looks that agree, and looking again until a deadline. The only place that polls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gitops_ci.live import LiveState, LiveVerdict

FIRST_MINUTE = timedelta(seconds=10)
AFTERWARDS = timedelta(seconds=30)

Look = Callable[[], LiveVerdict]


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the program lives it; tests give one that runs faster."""

    now: Callable[[], datetime]
    sleep: Callable[[float], None]


def settled(look: Look, *, settle: timedelta, clock: Clock) -> LiveVerdict:
    """A verdict that two looks agree on; `pending` where they do not."""
    first = look()
    if first.state in {LiveState.PENDING, LiveState.WAITING}:
        return first
    clock.sleep(settle.total_seconds())
    second = look()
    if first.state is second.state:
        return second
    return LiveVerdict(LiveState.PENDING, f"it changes: {first.state}, then {second.state}")


def until(
    look: Look,
    *,
    decided: Callable[[LiveVerdict], bool],
    timeout: timedelta,
    clock: Clock,
    changed: Callable[[LiveVerdict], None],
) -> LiveVerdict:
    """Look until `decided` or until `timeout` has passed; `changed` is told every new sentence."""
    begin, last = clock.now(), None
    while True:
        verdict = look()
        if verdict != last:
            changed(verdict)
        last = verdict
        spent = clock.now() - begin
        pause = min(FIRST_MINUTE if spent < timedelta(minutes=1) else AFTERWARDS, timeout - spent)
        if decided(verdict) or pause <= timedelta(0):
            return verdict
        clock.sleep(pause.total_seconds())
