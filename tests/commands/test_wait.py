"""`wait`: the live job. Its exit code says whether the release was live; looks cost no patience."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitops_ci import names
from gitops_ci.errors import Exit
from gitops_ci.forge import CheckState
from gitops_ci.live import Health
from tests.commands.conftest import SUITE, Station
from tests.support import jobs
from tests.support.world import APP, PROPOSER, Ran, World

Act = Callable[[World], object]


def first_release(world: World) -> str:
    """1.0.0, by the branch that proposed it for itg."""
    found = names.parse_branch(world.ops().get(1).source)
    assert found
    return found.release


def wait(world: World, stage: str = "itg", *more: str, release: str | None = None) -> Ran:
    named = release or first_release(world)
    return world.run("wait", "--stage", stage, "--release", named, "--output", "json", *more)


def _degraded(world: World) -> None:
    world.sync("itg", Health.DEGRADED)


def _mended(world: World) -> None:
    _degraded(world)
    world.reconcile()
    world.sync("itg")


def _failed_sync(world: World) -> None:
    world.live.set_live(stage="itg", app=APP, revision=None, failed=world.main, message="no quota")


def _overtaken(world: World) -> None:
    world.promote("itg", "1.1.0")
    world.reconcile()
    world.sync("itg")


def _then_overtaken(world: World) -> None:
    _overtaken(world)
    world.reconcile()


def _recorded_then(world: World, act: Act) -> None:
    world.sync("itg")
    world.reconcile()
    act(world)


def _superseded(world: World) -> None:
    world.promote("itg", "1.1.0")


def _declined(world: World) -> None:
    world.ops("admin").close(1)


def _held(world: World) -> None:
    world.ops("admin").update(1, add_labels=[names.HOLD])
    world.reconcile()


CASES = {
    "it is proposed": ("itg proposed", lambda w: None, Exit.NOT_YET, "pending"),
    "it is held": ("itg proposed", _held, Exit.NOT_YET, "pending"),
    "it was declined": ("itg proposed", _declined, Exit.NOT_YET, "pending"),
    "a newer one took its place before it was merged": (
        "itg proposed",
        _superseded,
        Exit.REFUSED,
        "overtaken",
    ),
    "it is merged, nothing runs": ("itg merged", lambda w: None, Exit.NOT_YET, "pending"),
    "it progresses": (
        "itg merged",
        lambda w: w.sync("itg", Health.PROGRESSING),
        Exit.NOT_YET,
        "pending",
    ),
    "nobody can say": (
        "itg merged",
        lambda w: w.sync("itg", Health.UNKNOWN),
        Exit.NOT_YET,
        "pending",
    ),
    "it is live": ("itg merged", lambda w: w.sync("itg"), Exit.DONE, "live"),
    "it is degraded": ("itg merged", _degraded, Exit.FAILED, "failed"),
    "its sync failed": ("itg merged", _failed_sync, Exit.FAILED, "failed"),
    "a newer one runs instead": ("itg merged", _overtaken, Exit.REFUSED, "overtaken"),
    "that is recorded": ("itg merged", _then_overtaken, Exit.REFUSED, "overtaken"),
    "it was live, a newer one runs": (
        "itg merged",
        lambda w: _recorded_then(w, _overtaken),
        Exit.DONE,
        "live",
    ),
    "it was live and is degraded now": (
        "itg merged",
        lambda w: _recorded_then(w, _degraded),
        Exit.DONE,
        "live",
    ),
    "it failed and was mended": (
        "itg merged",
        _mended,
        Exit.DONE,
        "live",
    ),
}


@pytest.mark.parametrize(("station", "act", "code", "state"), CASES.values(), ids=CASES)
def test_the_exit_code_tells_where_the_release_is(
    station: str, act: Act, code: Exit, state: str, at: Station
) -> None:
    world = at(station)
    act(world)
    before = world.refs()
    ran = wait(world)
    assert (ran.code, ran.data["state"]) == (code, state), ran
    assert world.refs() == before, "wait writes nothing"


def test_a_manual_stage_waits_for_its_owner(at: Station) -> None:
    world = at("tst merged")
    ran = wait(world, "tst")
    assert (ran.code, ran.data["state"]) == (Exit.NOT_YET, "waiting")
    assert "waits for a Sync of `shop-web-tst`" in ran.data["message"]
    world.sync("tst")
    assert wait(world, "tst").code == Exit.DONE


def test_a_release_that_was_never_proposed_is_not_merged(at: Station) -> None:
    world = at("itg proposed")
    ran = wait(world, "tst")
    assert ran.code == Exit.NOT_YET
    assert ran.data["message"] == f"`{first_release(world)}` has not been merged into tst"


def test_a_second_attempt_counts_like_the_first(at: Station) -> None:
    world = at("itg proposed")
    world.ops("admin").close(1)
    world.promote("itg", "1.0.0", "--reopen")
    world.reconcile()
    world.sync("itg")
    assert wait(world).code == Exit.DONE


def test_another_releases_success_is_not_this_ones(at: Station) -> None:
    world = at("itg live")
    newer = world.promote("itg", "1.1.0").data["release"]
    world.reconcile()
    assert wait(world, release=newer).code == Exit.NOT_YET
    assert wait(world).code == Exit.DONE


# --- looking for a while -----------------------------------------------------


@contextmanager
def meanwhile(act: Callable[[], object], after: float) -> Iterator[None]:
    """Something happens a moment later, in another thread."""
    timer = threading.Timer(after, act)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def test_it_looks_again_until_the_release_is_live(at: Station) -> None:
    world = at("itg merged")
    release, begin = first_release(world), time.monotonic()
    with meanwhile(lambda: world.sync("itg"), 0.4):
        ran = wait(world, "itg", "--timeout", "1", release=release)
    assert (ran.code, ran.data["state"]) == (Exit.DONE, "live")
    assert time.monotonic() - begin < 5


def test_a_merge_while_it_looks_is_seen(at: Station) -> None:
    world = at("itg proposed")

    def merged_and_synced() -> None:
        request = world.ops().get(1)
        world.ops().merge(1, head=request.head)
        world.sync("itg")

    with meanwhile(merged_and_synced, 0.3):
        ran = wait(world, "itg", "--timeout", "1")
    assert ran.code == Exit.DONE
    assert len([line for line in ran.err.splitlines() if "-> itg:" in line]) == 2


def test_a_wait_that_runs_out_of_time_is_not_yet(at: Station) -> None:
    world = at("itg merged")
    begin = time.monotonic()
    ran = wait(world, "itg", "--timeout", "1")
    assert ran.code == Exit.NOT_YET
    assert 1 <= time.monotonic() - begin < 6
    assert len(ran.err.splitlines()) == 1, "the same sentence is told once"


def test_a_failure_ends_the_wait_at_once(at: Station) -> None:
    world = at("itg merged")
    _degraded(world)
    begin = time.monotonic()
    assert wait(world, "itg", "--timeout", "30").code == Exit.FAILED
    assert time.monotonic() - begin < 10


def test_a_child_process_gives_the_same_code(at: Station) -> None:
    world = at("itg merged")
    args = ("wait", "--stage", "itg", "--timeout", "2")
    world.sync("itg")
    ended = jobs.run(world.job(*args, GITOPS_RELEASE=first_release(world)))
    assert (ended.code, ended.out.split(":")[0]) == (Exit.DONE, "live")


# --- what it is told, what it leaves -----------------------------------------


def test_the_release_comes_from_an_earlier_job(at: Station) -> None:
    world = at("itg live")
    world.env["GITOPS_RELEASE"] = first_release(world)
    assert world.run("wait", "--stage", "itg").code == Exit.DONE


def test_without_a_release_it_says_where_one_comes_from(at: Station) -> None:
    ran = at("itg live").run("wait", "--stage", "itg")
    assert ran.code == Exit.USAGE
    assert "GITOPS_RELEASE" in ran.err


@pytest.mark.parametrize("stage", ["uat", "../x", "ITG"])
def test_a_stage_that_is_none_is_refused(stage: str, at: Station) -> None:
    ran = at("itg live").run("wait", "--stage", stage, "--release", f"{APP}-1.0.0-0123456789ab")
    assert ran.code == Exit.USAGE


@pytest.mark.parametrize("release", ["../x", "x y", "other-1.0.0-0123456789ab", f"{APP}-1.0.0"])
def test_a_release_that_is_none_is_refused(release: str, at: Station) -> None:
    ran = at("itg live").run("wait", "--stage", "itg", "--release", release)
    assert ran.code == Exit.USAGE, ran


def test_it_leaves_its_answer_as_a_job_output(at: Station, tmp_path: Path) -> None:
    world = at("itg live")
    world.env["GITOPS_CI_DOTENV"] = str(tmp_path / "live.env")
    for stage, said in (("itg", "live"), ("tst", "pending")):
        wait(world, stage)
        assert (tmp_path / "live.env").read_text(encoding="utf-8") == f"GITOPS_LIVE={said}\n"


def test_on_github_it_leaves_an_output_and_a_summary(at: Station, tmp_path: Path) -> None:
    world = at("itg live")
    world.env |= {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    assert wait(world).code == Exit.DONE
    assert (tmp_path / "output").read_text(encoding="utf-8") == "GITOPS_LIVE=live\n"
    assert "is healthy" in (tmp_path / "summary.md").read_text(encoding="utf-8")


def test_the_result_as_data_and_as_text(at: Station) -> None:
    world = at("itg live")
    release = first_release(world)
    data = wait(world).data
    assert set(data) == {"stage", "release", "state", "message"}
    assert (data["stage"], data["release"]) == ("itg", release)
    text = world.run("wait", "--stage", "itg", "--release", release)
    assert text.out == f"live: {data['message']}\n"


def test_whoever_may_read_may_wait(at: Station) -> None:
    world = at("itg live")
    release = first_release(world)
    assert world.run("wait", "--stage", "itg", "--release", release, user="tara").code == Exit.DONE


def test_what_reconcile_recorded_needs_no_look_at_the_cluster(at: Station) -> None:
    world = at("itg live")
    world.live.set_live(stage="itg", app=APP, revision=None, health=Health.UNKNOWN)
    assert wait(world).code == Exit.DONE


def test_after_a_wait_that_ended_well_promote_still_waits_for_the_record(at: Station) -> None:
    """`wait` sees what runs; only `reconcile` may write down that it did."""
    world = at("itg merged")
    world.sync("itg")
    assert wait(world).code == Exit.DONE
    assert world.promote("tst", "1.0.0", suites=[SUITE]).code == Exit.NOT_YET
    world.reconcile()
    assert world.promote("tst", "1.0.0", suites=[SUITE]).code == Exit.DONE


def test_a_forged_failure_does_not_hide_what_runs(at: Station) -> None:
    world = at("itg live")
    commit = world.ops().get(1).merge_commit or ""
    world.ops(PROPOSER).set_status(
        commit, context=names.LIVE, state=CheckState.FAILURE, description="no"
    )
    assert wait(world).code == Exit.DONE
