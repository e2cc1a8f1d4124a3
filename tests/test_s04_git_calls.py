"""S4: every call of git names full refs, ends its options, and carries no secret."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitops_ci.forge import JobState
from tests.support import builder, recording
from tests.support.git_http import GitHttpServer
from tests.support.world import APP, MERGER, OPS, PROPOSER, World

PLACE = f"environments/itg/{APP}"
PASSED = ["integration-tests"]
TOKEN = "canary-5c61e0b7d2"
SECRETS = (TOKEN, base64.b64encode(f"gitops-ci:{TOKEN}".encode()).decode())
EXPECTED = {
    "cat-file", "commit-tree", "fast-import", "fetch", "for-each-ref", "init", "ls-remote",
    "merge-base", "merge-tree", "push", "rev-list", "rev-parse", "show-ref", "status",
    "symbolic-ref", "update-ref",
}  # fmt: skip
HOSTILE = "--upload-pack=touch${IFS}P;'`$(id)`"

Calls = tuple[tuple[str, ...], ...]


@dataclass
class Recorded:
    """A world whose commands find a recording git."""

    world: World
    log: Path

    @property
    def calls(self) -> Calls:
        return recording.recorded_calls(self.log)


@pytest.fixture(params=["disk", "http"])
def recorded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Recorded]:
    world = World.build(tmp_path / "world", apps=2)
    wrappers = recording.install(tmp_path / "bin", tmp_path / "calls")
    world.env["PATH"] = os.pathsep.join((str(wrappers), os.environ["PATH"]))
    members = {PROPOSER: "developer", MERGER: "maintainer", "admin": "maintainer"}
    people = dict.fromkeys(("tara", "petra", "olaf", "oksana"), "reporter")
    world.ops("admin").setup(members=members | people | {TOKEN: "developer"})
    if request.param == "disk":
        yield Recorded(world, tmp_path / "calls")
        return
    with GitHttpServer(world.forge_root) as server:
        world.git_url = f"{server.url}/{OPS}.git"
        yield Recorded(world, tmp_path / "calls")


# --- flows -------------------------------------------------------------------


def _whole_way(world: World) -> None:
    """Two stages with everything that reconcile, wait and the rest do on the way."""
    world.commit("1.0.0")
    release = world.promote("itg", "1.0.0", user=TOKEN).data["release"]
    world.run("wait", "--stage", "itg", "--release", release)
    world.reconcile()
    world.reconcile()
    world.sync("itg")
    world.reconcile()
    world.run("wait", "--stage", "itg", "--release", release)
    world.suite("1.0.0", "integration-tests")
    world.reconcile()
    world.promote("tst", "1.0.0", suites=PASSED)
    world.reconcile()
    world.approve("tst", "tara")
    world.reconcile()
    world.run("status")
    assert world.holds("tst") == release


def _promote_ends(world: World) -> None:
    """The ends of `promote` that are not an open merge request."""
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        world.commit(version)
    assert world.promote("tst", "1.0.0").code == 3
    assert world.promote("itg", "1.1.0", "--dry-run").code == 0
    assert world.promote("itg", "1.1.0").data["result"] == "opened"
    assert world.promote("itg", "1.1.0").data["result"] == "open"
    assert world.promote("itg", "1.0.0").data["result"] == "superseded"
    assert world.promote("itg", "1.2.0").data["result"] == "opened"
    world.ops("admin").close(world.open_request("itg").number)
    assert world.promote("itg", "1.2.0").data["result"] == "declined"
    assert world.promote("itg", "1.2.0", "--reopen").data["result"] == "opened"
    world.reconcile()
    assert world.promote("itg", "1.2.0").data["result"] == "unchanged"
    assert world.promote("nowhere", "1.2.0", "--output", "text").code == 2


def _people_on_branches(world: World) -> None:
    """Welcome and foreign commits, a changed stage, a branch that is gone, a broken one."""
    world.commit("1.0.0")
    assert world.promote("itg", "1.0.0").code == 0
    branch = world.open_request("itg").source
    builder.commit(world.ops_git, {f"{PLACE}/values-ops.yaml": "a: 1\n"}, "Mine", branch=branch)
    assert world.promote("itg", "1.0.0").data["result"] == "open"
    world.push_to_main({f"{PLACE}/release/values.yaml": "by: hand\n"})
    assert world.promote("itg", "1.0.0").data["result"] == "opened"
    branch = world.open_request("itg").source
    builder.git("update-ref", "-d", f"refs/heads/{branch}", cwd=world.ops_git)
    assert world.promote("itg", "1.0.0").data["result"] == "opened"
    branch = world.open_request("itg").source
    builder.commit(world.ops_git, {f"{PLACE}/release/x": "y\n"}, "Not mine", branch=branch)
    assert world.promote("itg", "1.0.0").data["result"] == "foreign"
    world.reconcile()


def _failed_tests(world: World) -> None:
    world.commit("1.0.0")
    world.enter("itg", "1.0.0")
    world.suite("1.0.0", "integration-tests", JobState.FAILED)
    world.reconcile()
    assert world.promote("tst", "1.0.0").code == 4


def _hostile_words(world: World) -> None:
    """Text from outside where an option, a revision or a path could be meant."""
    world.commit("1.0.0")
    for words in (
        ("promote", "--stage", HOSTILE),
        ("promote", "--stage", "itg", "--release", HOSTILE),
        ("promote", "--stage", "itg", "--version", HOSTILE),
        ("promote", "--stage", "itg", "--suite", f"{HOSTILE}=passed"),
        ("promote", "--stage", "itg", "--ops-repo", HOSTILE),
        ("promote", "--stage", "itg", "--git-url", HOSTILE),
        ("promote", "--stage", "itg", "--git-url", f"ext::{HOSTILE}"),
        ("promote", "--stage", "itg", "--git-url", f"ssh://{HOSTILE}/x"),
        ("wait", "--stage", "itg", "--release", HOSTILE),
        ("wait", "--stage", HOSTILE, "--release", "shop-web-1.0.0-d5ca04c3e5fd"),
    ):
        assert world.run(*words).code in {1, 2, 3, 75}, words


FLOWS: dict[str, Callable[[World], None]] = {
    "whole way": _whole_way,
    "ends of promote": _promote_ends,
    "people on branches": _people_on_branches,
    "failed tests": _failed_tests,
    "hostile words": _hostile_words,
}


@pytest.mark.parametrize("name", FLOWS)
def test_s04_every_git_call_is_safe(name: str, recorded: Recorded) -> None:
    FLOWS[name](recorded.world)
    faults = {call: recording.faults(call) for call in recorded.calls}
    assert not {" ".join(call): found for call, found in faults.items() if found}
    words = {word for call in recorded.calls for word in call}
    assert not [word for word in words if any(secret in word for secret in SECRETS)]
    assert not [word for word in words if "touch" in word or "upload-pack" in word]
    assert not list(recorded.world.root.rglob("P"))
    used = {recording.subcommand(call) for call in faults}
    assert used <= EXPECTED
    if name != "hostile words":
        assert used >= {"fetch", "push", "fast-import", "cat-file"}
