"""The flow story: a few releases' ways through the stages, with the whole world after each step."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from gitops_ci.errors import Exit
from gitops_ci.forge import JobState, MergeState
from gitops_ci.live import Health
from tests.support.world import APP, World

GOLDEN = Path(__file__).with_name("story.txt")

Step = tuple[str, Callable[[World], object]]

SUITES = ("integration-tests",), ("acceptance-tests",), ("performance-tests",)


def _reverted(world: World) -> None:
    """A person takes the newest promotion into tst back."""
    directory = f"environments/tst/{APP}"
    world.push_to_main({f"{directory}/release.yaml": None}, "Take it out of tst")


def _hold(world: World) -> None:
    text = (
        "apiVersion: gitops-ci/v1\nkind: Hold\napp: shop-web\nstage: prod\n"
        "reason: quarter end\nowner: olaf\n"
    )
    world.push_to_main({"holds/quarter-end.yaml": text})


STORY: tuple[Step, ...] = (
    ("a developer merges 1.0.0", lambda w: w.commit("1.0.0")),
    ("its pipeline proposes it for itg", lambda w: w.promote("itg", "1.0.0")),
    ("tst asks too early and waits", lambda w: w.promote("tst", "1.0.0")),
    ("reconcile merges into the automatic stage", World.reconcile),
    ("reconcile looks: itg has not synced", World.reconcile),
    ("Argo CD syncs itg", lambda w: w.sync("itg", Health.PROGRESSING)),
    ("reconcile looks: not healthy yet", World.reconcile),
    ("itg is healthy", lambda w: w.sync("itg")),
    ("reconcile records that it is live and plays the live job", World.reconcile),
    ("the integration tests pass", lambda w: w.suite("1.0.0", "integration-tests")),
    ("promote to tst, before reconcile has read the job", lambda w: w.promote("tst", "1.0.0", suites=SUITES[0])),
    ("reconcile: the claim is verified, tst waits for Tara", World.reconcile),
    ("Tara approves", lambda w: w.approve("tst", "tara")),
    ("reconcile merges into tst", World.reconcile),
    ("reconcile: merged, waits for the owner's Sync", World.reconcile),
    ("the live job is asked by hand: not yet", lambda w: w.run("wait", "--stage", "tst", "--release", str(w.holds("tst")))),
    ("Tara presses Sync", lambda w: w.sync("tst")),
    ("reconcile: live in tst", World.reconcile),
    ("1.1.0 comes along and goes through itg", lambda w: (w.commit("1.1.0"), w.enter("itg", "1.1.0"))),
    ("the acceptance tests of 1.0.0 pass", lambda w: w.suite("1.0.0", "acceptance-tests")),
    ("1.0.0 goes on to perf, itg holds a newer one", lambda w: w.promote("perf", "1.0.0", suites=SUITES[1])),
    ("1.1.0 is tested and proposed for tst", lambda w: (w.suite("1.1.0", "integration-tests"), w.promote("tst", "1.1.0", suites=SUITES[0]))),
    ("1.2.0 overtakes it on the way to tst", lambda w: (w.commit("1.2.0"), w.enter("itg", "1.2.0"), w.suite("1.2.0", "integration-tests"), w.promote("tst", "1.2.0", suites=SUITES[0]))),
    ("1.1.0 tries again and is told", lambda w: w.promote("tst", "1.1.0", suites=SUITES[0])),
    ("Petra approves 1.0.0 for perf, it is merged and synced", lambda w: (w.reconcile(), w.approve("perf", "petra"), w.reconcile(), w.sync("perf"), w.reconcile())),
    ("its performance tests pass", lambda w: (w.suite("1.0.0", "performance-tests"), w.promote("prod", "1.0.0", suites=SUITES[2]))),
    ("one approval is not enough for prod", lambda w: (w.approve("prod", "olaf"), w.reconcile())),
    ("the second comes, and a hold with it", lambda w: (_hold(w), w.approve("prod", "oksana"), w.reconcile())),
    ("the hold is lifted", lambda w: (w.push_to_main({"holds/quarter-end.yaml": None}), w.reconcile())),
    ("prod is synced: 1.0.0 has arrived", lambda w: (w.sync("prod"), w.reconcile())),
    ("1.2.0 enters tst, where its tests fail", lambda w: (w.approve("tst", "tara"), w.reconcile(), w.sync("tst"), w.reconcile(), w.suite("1.2.0", "acceptance-tests", JobState.FAILED), w.reconcile())),
    ("perf refuses it", lambda w: w.promote("perf", "1.2.0", suites=SUITES[1])),
    ("a retry passes, perf accepts it", lambda w: (w.suite("1.2.0", "acceptance-tests"), w.reconcile(), w.promote("perf", "1.2.0", suites=SUITES[1]))),
    ("Petra declines", lambda w: w.ops("admin").close(w.open_request("perf").number)),
    ("the pipeline is run again: declined stays declined", lambda w: w.promote("perf", "1.2.0", suites=SUITES[1])),
    ("proposed again on purpose", lambda w: w.promote("perf", "1.2.0", "--reopen", suites=SUITES[1])),
    ("tst is taken back by hand", _reverted),
    ("its pipeline is run again: reverted stays reverted", lambda w: w.promote("tst", "1.2.0", suites=SUITES[0])),
    ("perf's directory changes: the open proposal is made anew", lambda w: (w.push_to_main({f"environments/perf/{APP}/release/values/perf.yaml": "env: {STAGE: changed}\n"}), w.reconcile())),
)  # fmt: skip


def _told(step: object) -> str:
    """What the last command of a step said, in one line."""
    last = step[-1] if isinstance(step, tuple) else step
    code, out = getattr(last, "code", None), getattr(last, "out", "")
    if code is None:
        return ""
    lines = [line for line in out.splitlines() if '"message"' in line or '"result"' in line]
    said = "; ".join(line.strip().rstrip(",") for line in lines)
    return f"  -> exit {code}{' ' + said if said else ''}\n"


def test_the_story_is_told_the_same_way_every_time(tmp_path: Path) -> None:
    world = World.build(tmp_path)
    pages = []
    for title, act in STORY:
        told = _told(act(world)).replace(tmp_path.as_uri(), "file://")
        pages.append(
            f"## {title}\n{told}\n{world.snapshot()}".replace(tmp_path.as_uri(), "file://")
        )
    text = "\n".join(pages)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_the_same_tree_lies_in_every_stage_it_has_passed(tmp_path: Path) -> None:
    from tests.support.builder import git

    world = World.build(tmp_path)
    world.commit("1.0.0")
    for stage, claims in zip(("itg", "tst", "perf", "prod"), ((), *SUITES), strict=True):
        world.enter(stage, "1.0.0", suites=claims)
        for suite in {"itg": SUITES[0], "tst": SUITES[1], "perf": SUITES[2]}.get(stage, ()):
            world.suite("1.0.0", suite)
            world.reconcile()
    trees = {
        git("rev-parse", f"main:environments/{stage}/{APP}/release", cwd=world.ops_git).strip()
        for stage in ("itg", "tst", "perf", "prod")
    }
    assert len(trees) == 1
    merged = [r for r in world.ops().list(labels={"gitops-ci"}) if r.state is MergeState.MERGED]
    assert len(merged) == 4
    assert world.promote("prod", "1.0.0").code == Exit.DONE
