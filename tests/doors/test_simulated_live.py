"""The cluster that somebody plays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitops_ci.errors import ConfigError, Temporary
from gitops_ci.forge.local import LocalForge
from gitops_ci.live import Health, LiveSource, LiveState, Look, judge
from gitops_ci.live.simulated import SimulatedLive
from tests.support import builder

PROJECT = "platform/shop-ops"
ONE, TWO = "1" * 40, "2" * 40


def now() -> datetime:
    return datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    LocalForge.create(tmp_path, PROJECT, user="bot", now=now)
    return tmp_path


@pytest.fixture
def live(root: Path) -> SimulatedLive:
    return SimulatedLive(root, PROJECT, now=now)


def look(source: LiveSource, stage: str = "tst", app: str = "web") -> Look:
    return source.look(stage=stage, app=app, application=f"{app}-{stage}")


def records(root: Path) -> list[str]:
    ref = "refs/gitops-ci/live/tst/web"
    path = root / f"{PROJECT}.git"
    return builder.git("--git-dir", path, "log", "--format=%s", ref).splitlines()


def test_before_the_first_deployment_nothing_runs(live):
    assert look(live) == Look("web-tst", None, Health.MISSING)


def test_a_look_shows_what_was_set(live):
    live.set_live(
        stage="tst", app="web", revision=ONE, health=Health.DEGRADED, failed=TWO, message="🔥\nx"
    )
    assert look(live) == Look("web-tst", ONE, Health.DEGRADED, TWO, "🔥\nx")


def test_the_last_word_counts(live):
    live.set_live(stage="tst", app="web", revision=ONE, failed=ONE, message="no")
    live.set_live(stage="tst", app="web", revision=TWO)
    assert look(live) == Look("web-tst", TWO, Health.HEALTHY)


def test_another_process_sees_the_same(live, root):
    live.set_live(stage="tst", app="web", revision=ONE)
    assert look(SimulatedLive(root, PROJECT, now=now)).revision == ONE


def test_stages_and_apps_do_not_mix(live):
    live.set_live(stage="tst", app="web", revision=ONE)
    assert look(live, stage="prod").revision is None
    assert look(live, app="web-2").revision is None
    assert look(live, app="we").revision is None


def test_saying_it_again_adds_nothing_to_the_history(live, root):
    for revision in (ONE, ONE, TWO, TWO):
        live.set_live(stage="tst", app="web", revision=revision)
    assert records(root) == [f"web in tst: Healthy at {TWO}", f"web in tst: Healthy at {ONE}"]


def test_one_look_is_enough(live):
    assert live.settle == timedelta(0)


def test_what_it_shows_can_be_judged(live):
    live.set_live(stage="tst", app="web", revision=ONE)
    verdict = judge(
        look(live), release="web-1", running="web-1", failed=None, newer=frozenset(), manual=True
    )
    assert verdict.state is LiveState.LIVE


@pytest.mark.parametrize(
    ("stage", "app"),
    [("../../heads", "main"), ("tst", "../x"), ("*", "web"), ("tst", ""), ("TST", "web")],
)
def test_a_name_that_could_lead_elsewhere_is_refused(live, stage, app):
    with pytest.raises(ConfigError):
        live.set_live(stage=stage, app=app, revision=ONE)
    with pytest.raises(ConfigError):
        look(live, stage=stage, app=app)


def test_a_cluster_that_cannot_be_asked_is_temporary(tmp_path):
    with pytest.raises(Temporary) as failed:
        look(SimulatedLive(tmp_path, "platform/none", now=now))
    assert failed.value.hint
