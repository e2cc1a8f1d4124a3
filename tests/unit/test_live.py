"""What one look at the cluster means for one release."""

from __future__ import annotations

from itertools import product

import pytest

from gitops_ci.live import Health, LiveState, Look, judge
from tests.support.promotions import NEWER, OLDER, OURS, oid

RELEASES = (OURS.id, OLDER.id, NEWER.id, None)


def look(health: Health = Health.HEALTHY, **more: str) -> Look:
    return Look("shop-web-tst", oid("what runs"), health, **more)


def judged(
    seen: Look,
    *,
    running: str | None = OLDER.id,
    failed: str | None = None,
    newer: frozenset[str] = frozenset({NEWER.id}),
    manual: bool = False,
) -> tuple[LiveState, str]:
    verdict = judge(
        seen, release=OURS.id, running=running, failed=failed, newer=newer, manual=manual
    )
    return verdict.state, verdict.message


@pytest.mark.parametrize(
    ("health", "state"),
    [
        (Health.HEALTHY, LiveState.LIVE),
        (Health.DEGRADED, LiveState.FAILED),
        (Health.PROGRESSING, LiveState.PENDING),
        (Health.MISSING, LiveState.PENDING),
        (Health.UNKNOWN, LiveState.PENDING),
    ],
)
@pytest.mark.parametrize("manual", [True, False])
def test_a_release_that_runs_is_as_good_as_its_health(
    health: Health, state: LiveState, manual: bool
) -> None:
    found, said = judged(look(health), running=OURS.id, manual=manual)
    assert found is state
    assert "shop-web-tst" in said


def test_a_degraded_release_is_told_in_the_words_of_the_cluster() -> None:
    assert "back-off" in judged(look(Health.DEGRADED, message="back-off"), running=OURS.id)[1]
    assert "no reason given" in judged(look(Health.DEGRADED), running=OURS.id)[1]


@pytest.mark.parametrize("running", [OLDER.id, None, NEWER.id])
def test_a_failed_sync_of_this_release_counts_against_it(running: str | None) -> None:
    state, said = judged(look(message="admission denied"), running=running, failed=OURS.id)
    assert state is LiveState.FAILED
    assert "admission denied" in said


@pytest.mark.parametrize("failed", [OLDER.id, NEWER.id, None])
def test_a_failed_sync_of_another_release_does_not_count_against_this_one(
    failed: str | None,
) -> None:
    assert judged(look(), failed=failed)[0] is LiveState.PENDING


def test_a_sync_that_failed_on_top_of_the_running_release_does_not_make_it_dead() -> None:
    assert judged(look(), running=OURS.id, failed=OURS.id)[0] is LiveState.LIVE
    assert judged(look(), running=OURS.id, failed=NEWER.id)[0] is LiveState.LIVE


def test_a_newer_release_that_runs_has_overtaken_it() -> None:
    state, said = judged(look(), running=NEWER.id)
    assert state is LiveState.OVERTAKEN
    assert NEWER.id in said


@pytest.mark.parametrize(
    ("manual", "state"), [(True, LiveState.WAITING), (False, LiveState.PENDING)]
)
@pytest.mark.parametrize("running", [OLDER.id, None])
def test_a_release_that_is_merged_and_not_applied_waits_for_whoever_applies_it(
    manual: bool, state: LiveState, running: str | None
) -> None:
    found, said = judged(look(), running=running, manual=manual)
    assert found is state
    assert (running or "cannot be told") in said


@pytest.mark.parametrize(
    ("health", "running", "failed", "manual"),
    list(product(Health, RELEASES, RELEASES, (True, False))),
)
def test_live_is_said_only_of_what_runs_and_is_healthy(
    health: Health, running: str | None, failed: str | None, manual: bool
) -> None:
    state, said = judged(look(health), running=running, failed=failed, manual=manual)
    assert (state is LiveState.LIVE) == (running == OURS.id and health is Health.HEALTHY)
    assert said


def test_a_look_that_can_say_nothing_does_not_say_that_nothing_runs() -> None:
    blind = Look("shop-web-tst", None, Health.UNKNOWN)
    assert "nothing runs" not in judged(blind, running=None)[1]
