"""`reconcile`: the judge. Every case is a world on the local forge and one pass or more over it."""

from __future__ import annotations

import difflib
import html
import os
import re
import shutil
import subprocess  # noqa: TID251 - renders with Helm beside the code that is tested
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gitops_ci import names, passports
from gitops_ci.errors import Exit
from gitops_ci.forge import Approval, CheckState, Draft, Job, JobState, MergeState, Status
from gitops_ci.helm import Helm
from gitops_ci.live import Health
from tests.commands.conftest import SUITE, Station
from tests.support import builder, forged, recording
from tests.support.forged import Forgery
from tests.support.opsrepo import POLICY
from tests.support.world import APP, MERGER, PROPOSER, Ran, World

ITG, TST = f"environments/itg/{APP}", f"environments/tst/{APP}"
OPS_VALUES = f"{TST}/values-ops.yaml"
Act = Callable[[World], object]


# --- words -------------------------------------------------------------------


def item(ran: Ran, number: int) -> dict[str, Any]:
    found = [each for each in ran.data if each["number"] == number]
    assert len(found) == 1, ran
    return dict(found[0])


def said(ran: Ran, number: int) -> str:
    return "; ".join(item(ran, number)["messages"])


def gate(world: World, number: int) -> Status | None:
    """What `reconcile` itself says on the head of a merge request."""
    head = world.ops().get(number).head
    mine = [s for s in world.ops().statuses(head) if (s.context, s.creator) == (names.GATE, MERGER)]
    return mine[0] if mine else None


def gate_state(world: World, number: int) -> CheckState | None:
    found = gate(world, number)
    return found.state if found else None


def state(world: World, number: int) -> MergeState:
    return world.ops().get(number).state


def suites(world: World, number: int) -> dict[str, CheckState]:
    """What is recorded on the merge commit of a merge request, without our common prefix."""
    commit = world.ops().get(number).merge_commit or ""
    return {s.context.removeprefix("gitops-ci/"): s.state for s in world.ops().statuses(commit)}


def policy(world: World, old: str, new: str) -> None:
    now = builder.git("show", "main:gitops-ci.yaml", cwd=world.ops_git)
    assert old in now
    world.push_to_main({"gitops-ci.yaml": now.replace(old, new) + "\n"})


def person(world: World, number: int, files: dict[str, str | None]) -> str:
    """A person's commit on the branch of a merge request."""
    branch = world.ops().get(number).source
    return builder.commit(world.ops_git, files, "Mine", branch=branch)


def hold(**scope: str) -> str:
    lines = "".join(f"{key}: {value}\n" for key, value in scope.items())
    return f"apiVersion: gitops-ci/v1\nkind: Hold\n{lines}reason: prices are wrong\nowner: olaf\n"


def blob(world: World, path: str, revision: str = "main") -> str | None:
    done = builder.run_git("show", f"{revision}:{path}", cwd=world.ops_git)
    return done.stdout.decode() if done.returncode == 0 else None


def comments(world: World, number: int, user: str = MERGER) -> str | None:
    return world.ops(user).comment_with(number, "<!-- gitops-ci:news -->")


# --- approvals ---------------------------------------------------------------


def _by_the_author(world: World) -> None:
    """Some forges let an author approve; here the record is written past the forge's own rule."""
    forge, head = world.ops(PROPOSER), world.ops().get(2).head
    world.ops("admin").setup(groups={"tst-owners": ("tara", PROPOSER)})
    forge._edit(2, "approved", lambda record: record.approved(Approval(PROPOSER, head)))


def _on_an_older_head(world: World) -> None:
    world.approve("tst", "tara")
    person(world, 2, {OPS_VALUES: "replicas: 2\n"})


def _taken_back(world: World) -> None:
    world.approve("tst", "tara")
    world.ops("tara").unapprove(2)


def _left_the_owners(world: World) -> None:
    world.approve("tst", "tara")
    world.ops("admin").setup(groups={"tst-owners": ("tom",)})


def _one_of_two(world: World) -> None:
    policy(world, "{name: tst, merge: approved,", "{name: tst, merge: approved, approvals: 2,")
    world.approve("tst", "tara")


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda w: None, id="nobody's"),
        pytest.param(_by_the_author, id="the author's"),
        pytest.param(lambda w: w.approve("tst", "petra"), id="an outsider's"),
        pytest.param(_on_an_older_head, id="on an older head"),
        pytest.param(_taken_back, id="taken back"),
        pytest.param(_left_the_owners, id="of somebody who left the owners"),
        pytest.param(_one_of_two, id="one of two"),
    ],
)
def test_an_approval_that_does_not_count_leaves_the_gate_pending(act: Act, at: Station) -> None:
    world = at("tst proposed")
    act(world)
    ran = world.reconcile()
    assert ran.code == Exit.DONE
    assert item(ran, 2)["step"] == "waiting"
    assert "1 approval of tst-owners missing" in said(ran, 2)
    assert gate_state(world, 2) is CheckState.PENDING
    assert state(world, 2) is MergeState.OPEN


def test_an_owners_approval_on_this_head_merges(at: Station) -> None:
    world = at("tst proposed")
    head = world.open_request("tst").head
    world.approve("tst", "tara")
    assert item(world.reconcile(), 2)["step"] == "merged"
    assert gate_state(world, 2) is CheckState.SUCCESS
    parents = builder.git("show", "-s", "--format=%P", "main", cwd=world.ops_git).split()
    assert parents[1] == head
    assert world.holds("tst") == world.holds("itg")


def test_two_approvals_of_two_owners_are_two(at: Station) -> None:
    world = at("tst proposed")
    _one_of_two(world)
    world.ops("admin").setup(groups={"tst-owners": ("tara", "petra")})
    world.approve("tst", "petra")
    assert item(world.reconcile(), 2)["step"] == "merged"


def test_without_owners_anybody_but_the_author_may_approve(at: Station) -> None:
    world = at("tst proposed")
    policy(world, "owners: [tst-owners], ", "")
    assert "1 approval of anybody but its author missing" in said(world.reconcile(), 2)
    world.approve("tst", "oksana")
    assert item(world.reconcile(), 2)["step"] == "merged"


# --- who merges --------------------------------------------------------------


def test_a_manual_stage_leaves_the_button_to_people(at: Station) -> None:
    world = at("tst proposed")
    policy(world, "{name: tst, merge: approved,", "{name: tst, merge: manual,")
    world.approve("tst", "tara")
    for _ in range(2):
        ran = world.reconcile()
        assert (item(ran, 2)["step"], state(world, 2)) == ("waiting", MergeState.OPEN)
    assert gate_state(world, 2) is CheckState.SUCCESS
    world.ops("admin").merge(2, head=world.ops().get(2).head)
    world.sync("tst")
    assert item(world.reconcile(), 2)["step"] == "live"


def test_an_automatic_stage_may_ask_for_approvals(at: Station) -> None:
    world = at("itg proposed")
    policy(world, "{name: itg, merge: auto,", "{name: itg, merge: auto, approvals: 1,")
    assert item(world.reconcile(), 1)["step"] == "waiting"
    world.ops("petra").approve(1)
    assert item(world.reconcile(), 1)["step"] == "merged"


def test_an_automatic_stage_asks_nobody(at: Station) -> None:
    world = at("itg proposed")
    assert item(world.reconcile(), 1)["step"] == "merged"
    assert world.ops().get(1).merged_by == MERGER


# --- evidence at the gate ----------------------------------------------------


def test_verified_evidence_waits_for_the_fact_where_a_claim_would_do(at: Station) -> None:
    world = at("itg live")
    world.promote("tst", "1.0.0", suites=[SUITE])
    world.approve("tst", "tara")
    other = world.copied(world.root.parent / "claimed")
    policy(
        world, "{name: tst, merge: approved,", "{name: tst, merge: approved, evidence: verified,"
    )
    assert said(world.reconcile(), 2) == f"`{SUITE}` has not passed"
    assert gate_state(world, 2) is CheckState.PENDING
    assert item(other.reconcile(), 2)["step"] == "merged"
    world.suite("1.0.0", SUITE)
    assert item(world.reconcile(), 2)["step"] == "merged"


def test_a_suite_that_failed_after_the_claim_makes_the_gate_red(at: Station) -> None:
    world = at("itg live")
    world.promote("tst", "1.0.0", suites=[SUITE])
    world.approve("tst", "tara")
    world.suite("1.0.0", SUITE, JobState.FAILED)
    ran = world.reconcile()
    assert (item(ran, 2)["step"], said(ran, 2)) == ("refused", f"`{SUITE}` failed")
    assert gate_state(world, 2) is CheckState.FAILURE
    world.suite("1.0.0", SUITE)
    assert item(world.reconcile(), 2)["step"] == "merged"


def test_a_claim_in_the_passport_that_calls_itself_verified_is_no_fact(at: Station) -> None:
    world = at("itg live")
    world.promote("tst", "1.0.0", suites=[SUITE])
    request = world.open_request("tst")
    claimed = blob(world, f"{TST}/release.yaml", request.head) or ""
    _end(world, 2)
    policy(
        world, "{name: tst, merge: approved,", "{name: tst, merge: approved, evidence: verified,"
    )
    lie = Forgery(text=claimed.replace("by: claimed", "by: verified"))
    made = forged.propose(world, "tst", request.head, lie)
    world.ops("tara").approve(made.number)
    said_of_it = said(world.reconcile(), made.number)
    assert f"nothing shows that `{SUITE}` passed on itg (verified)" in said_of_it
    assert gate_state(world, made.number) is CheckState.FAILURE
    assert world.holds("tst") is None


# --- holds -------------------------------------------------------------------

RELEASE = "RELEASE"


@pytest.mark.parametrize(
    ("scope", "verdict"),
    [
        ({"app": APP}, CheckState.PENDING),
        ({"stage": "itg"}, CheckState.PENDING),
        ({"app": APP, "stage": "itg"}, CheckState.PENDING),
        ({"release": RELEASE}, CheckState.FAILURE),
        ({"release": RELEASE, "stage": "itg"}, CheckState.FAILURE),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else str(value),
)
def test_a_hold_keeps_the_release_out_until_it_is_lifted(
    scope: dict[str, str], verdict: CheckState, at: Station
) -> None:
    world = at("itg proposed")
    release = names.parse_branch(world.open_request("itg").source).release  # type: ignore[union-attr]
    said_scope = {key: release if value == RELEASE else value for key, value in scope.items()}
    world.push_to_main({"holds/wrong-prices.yaml": hold(**said_scope)})
    ran = world.reconcile()
    assert said(ran, 1) == "hold `wrong-prices` of olaf: prices are wrong"
    assert gate_state(world, 1) is verdict
    assert world.holds("itg") is None
    world.push_to_main({"holds/wrong-prices.yaml": None})
    assert item(world.reconcile(), 1)["step"] == "merged"


@pytest.mark.parametrize(
    "scope",
    [
        {"app": "shop-api"},
        {"stage": "tst"},
        {"app": APP, "stage": "prod"},
        {"app": "shop-api", "stage": "itg"},
    ],
    ids=lambda scope: "-".join(scope.values()),
)
def test_a_hold_on_something_else_holds_nothing_up(scope: dict[str, str], at: Station) -> None:
    world = at("itg proposed")
    world.push_to_main({"holds/other.yaml": hold(**scope)})
    assert item(world.reconcile(), 1)["step"] == "merged"


def test_the_label_of_a_person_stops_at_once_and_until_it_is_gone(at: Station) -> None:
    world = at("itg proposed")
    world.ops("admin").update(1, add_labels=[names.HOLD])
    assert said(world.reconcile(), 1) == "the label `gitops-hold` is set"
    assert gate_state(world, 1) is CheckState.PENDING
    world.ops("admin").update(1, remove_labels=[names.HOLD])
    assert item(world.reconcile(), 1)["step"] == "merged"


def test_every_reason_is_told_and_the_status_counts_them(at: Station) -> None:
    world = at("tst proposed")
    world.ops("admin").update(2, add_labels=[names.HOLD])
    world.push_to_main({"holds/a.yaml": hold(stage="tst")})
    assert len(item(world.reconcile(), 2)["messages"]) == 3
    found = gate(world, 2)
    assert found
    assert found.description == "the label `gitops-hold` is set (+2 more)"


def test_an_image_by_tag_passes_only_where_the_stage_allows_it(at: Station) -> None:
    world = at("committed")
    policy(world, "{name: itg, merge: auto,", "{name: itg, merge: auto, allow-tags: true,")
    image = f"{APP}=registry.example.com/shop/web:1.0.0"
    release = world.promote("itg", "1.0.0", "--image", image).data["release"]
    assert item(world.reconcile(), 1)["step"] == "merged"
    world.sync("itg")
    world.reconcile()
    assert world.promote("tst", "1.0.0", "--release", release, suites=[SUITE]).code == Exit.DONE
    world.approve("tst", "tara")
    assert said(world.reconcile(), 2) == f"image `{APP}` has no digest"
    assert gate_state(world, 2) is CheckState.FAILURE
    policy(world, "{name: tst, merge: approved,", "{name: tst, merge: approved, allow-tags: true,")
    assert item(world.reconcile(), 2)["step"] == "merged"


# --- the status --------------------------------------------------------------


def test_a_pass_that_finds_nothing_new_writes_nothing(at: Station) -> None:
    world = at("tst proposed")
    world.reconcile()
    before = world.refs()
    for _ in range(2):
        world.reconcile()
    assert world.refs() == before


def test_the_gate_is_posted_again_when_its_reason_changes(at: Station) -> None:
    world = at("tst proposed")
    world.reconcile()
    first = gate(world, 2)
    world.push_to_main({"holds/a.yaml": hold(stage="tst")})
    world.reconcile()
    second = gate(world, 2)
    assert first
    assert second
    assert first.description != second.description
    assert first.created <= second.created


# --- hostile branches --------------------------------------------------------


def _end(world: World, number: int) -> None:
    """Take an honest merge request out of the way."""
    forge, request = world.ops("admin"), world.ops().get(number)
    gone = names.labels("itg", APP) | names.labels("tst", APP) | {names.LABEL, names.PENDING}
    forge.update(number, remove_labels=request.labels & gone)
    forge.close(number)


def forge_into(world: World, stage: str, forgery: Forgery) -> int:
    """Close the honest merge request and propose a forged branch in its place."""
    request = world.open_request(stage)
    _end(world, request.number)
    return forged.propose(world, stage, request.head, forgery).number


def _tag_only(passport: passports.Passport) -> passports.Passport:
    image = passports.ImageRef(APP, "registry.example.com/shop/web:1.0.0")
    return replace(passport, images=(image,))


FORGERIES = {
    "a foreign file": (Forgery(beside={"README.md": "x\n"}), "`README.md`"),
    "CODEOWNERS": (Forgery(beside={".gitlab/CODEOWNERS": "* @me\n"}), "`.gitlab/CODEOWNERS`"),
    "the policy": (Forgery(beside={"gitops-ci.yaml": POLICY + "# weaker\n"}), "`gitops-ci.yaml`"),
    "the pipeline": (Forgery(beside={".gitlab-ci.yml": "x: {}\n"}), "`.gitlab-ci.yml`"),
    "a hold": (Forgery(beside={"holds/x.yaml": "{}\n"}), "`holds/x.yaml`"),
    "Argo CD's manifests": (Forgery(beside={"argocd/root.yaml": "{}\n"}), "`argocd/root.yaml`"),
    "another application": (
        Forgery(beside={"environments/itg/shop-api/release.yaml": "{}\n"}),
        "`environments/itg/shop-api/release.yaml`",
    ),
    "another stage": (
        Forgery(beside={f"environments/prod/{APP}/values-ops.yaml": "{}\n"}),
        f"`environments/prod/{APP}/values-ops.yaml`",
    ),
    "the stage's certificate": (
        Forgery(beside={"environments/itg/sealing-cert.pem": "x\n"}),
        "`environments/itg/sealing-cert.pem`",
    ),
    "Argo CD's overrides": (
        Forgery(beside={f"{ITG}/.argocd-source.yaml": "{}\n"}),
        f"`{ITG}/.argocd-source.yaml`",
    ),
    "a name that begins like release/": (
        Forgery(beside={f"{ITG}/release-2/x": "x\n"}),
        f"`{ITG}/release-2/x`",
    ),
    "content that the passport does not name": (
        Forgery(release={"values.yaml": "image: {tag: evil}\n"}, follow=False),
        "the passport names tree",
    ),
    "a link": (
        Forgery(release={"chart/link.yaml": "/etc/passwd"}, modes={"chart/link.yaml": "120000"}),
        "release/chart/link.yaml` is no plain file",
    ),
    "a program": (
        Forgery(release={"chart/run.sh": "#!/bin/sh\n"}, modes={"chart/run.sh": "100755"}),
        "release/chart/run.sh` is no plain file",
    ),
    "a stray file": (
        Forgery(release={"notes.txt": "x\n"}),
        "`release/notes.txt` does not belong to a release",
    ),
    "a stray folder of values": (
        Forgery(release={"values/deeper/itg.yaml": "x: 1\n"}),
        "`release/values/deeper/itg.yaml` does not belong to a release",
    ),
    "attributes in the chart": (
        Forgery(release={"chart/.gitattributes": "* -diff\n"}),
        "chart/.gitattributes",
    ),
    "no values": (Forgery(release={"values.yaml": None}), "`release/values.yaml` is missing"),
    "no values of a later stage": (
        Forgery(release={"values/prod.yaml": None}),
        "`release/values/prod.yaml` is missing",
    ),
    "no chart": (Forgery(release={"chart/Chart.yaml": None}), "Chart.yaml"),
    "an image without a digest": (Forgery(passport=_tag_only), f"image `{APP}` has no digest"),
    "another chart version in the passport": (
        Forgery(passport=lambda p: replace(p, chart=replace(p.chart, version="9.9.9"))),
        "the passport names chart web 9.9.9",
    ),
    "a passport that is none": (Forgery(text="kind: [nonsense\n"), "cannot be read|can be read"),
    "no passport at all": (Forgery(text="\n"), "cannot be read|can be read"),
}


@pytest.mark.parametrize(("forgery", "says"), FORGERIES.values(), ids=FORGERIES)
def test_a_hostile_branch_makes_the_gate_red_and_stays_outside(
    forgery: Forgery, says: str, at: Station
) -> None:
    world = at("itg proposed")
    number, main = forge_into(world, "itg", forgery), world.main
    ran = world.reconcile()
    assert item(ran, number)["step"] == "refused", ran
    assert re.search(says, said(ran, number)), said(ran, number)
    assert gate_state(world, number) is CheckState.FAILURE
    assert (state(world, number), world.main) == (MergeState.OPEN, main)


def test_the_forgers_tool_makes_a_branch_that_passes_where_nothing_is_wrong(at: Station) -> None:
    world = at("itg proposed")
    number = forge_into(world, "itg", Forgery())
    assert item(world.reconcile(), number)["step"] == "merged"


@pytest.mark.parametrize(
    ("forgery", "says"),
    [
        (Forgery(release={"values.yaml": "image: {tag: evil}\n"}), "has not entered itg"),
        (
            Forgery(release={"values.yaml": "image: {tag: evil}\n"}, follow=False),
            "the passport names tree",
        ),
        (Forgery(text="kind: Release\n"), "holds commits that are not ours"),
        (Forgery(author="Eve <eve@example.com>"), "holds commits that are not ours"),
    ],
    ids=["a new tree", "a tampered tree", "a broken passport", "a person's commit"],
)
def test_a_later_stage_takes_nothing_but_what_the_stage_before_had(
    forgery: Forgery, says: str, at: Station
) -> None:
    world = at("tst proposed")
    number, main = forge_into(world, "tst", forgery), world.main
    world.ops("tara").approve(number)
    ran = world.reconcile()
    assert says in said(ran, number)
    assert gate_state(world, number) in {CheckState.PENDING, CheckState.FAILURE}
    assert world.main == main


def test_a_passport_that_was_changed_in_the_stage_before_is_noticed(at: Station) -> None:
    world = at("tst proposed")
    world.approve("tst", "tara")
    found = passports.parse(blob(world, f"{ITG}/release.yaml") or "", source="")
    lie = replace(found, tree=found.tree[:12] + "0" * 28)
    world.push_to_main({f"{ITG}/release.yaml": passports.dump(lie)})
    ran = world.reconcile()
    assert "its tree is not the one that itg has tested" in said(ran, 2)
    assert (gate_state(world, 2), world.holds("tst")) == (CheckState.FAILURE, None)


def test_a_passport_of_another_dev_project_is_refused(at: Station) -> None:
    world = at("itg live")
    world.promote("itg", "1.1.0")
    stolen = Forgery(passport=lambda p: replace(p, source=replace(p.source, project="evil/web")))
    number, main = forge_into(world, "itg", stolen), world.main
    ran = world.reconcile()
    assert said(ran, number) == f"`{APP}` belongs to `shop/web`"
    assert (gate_state(world, number), world.main) == (CheckState.FAILURE, main)


def test_a_branch_that_says_another_release_than_its_passport_is_left_alone(at: Station) -> None:
    world = at("itg live")
    world.promote("itg", "1.1.0")
    request = world.open_request("itg")
    lie = Forgery(text=blob(world, f"{ITG}/release.yaml"), follow=False)
    number = forge_into(world, "itg", lie)
    assert item(world.reconcile(), number)["step"] != "merged"
    assert world.holds("itg") != names.parse_branch(request.source).release  # type: ignore[union-attr]


def test_a_branch_cannot_bring_its_own_policy(at: Station) -> None:
    world = at("tst proposed")
    weaker = POLICY.replace(", owners: [tst-owners]", ", approvals: 0").replace("approved", "auto")
    number = forge_into(world, "tst", Forgery(beside={"gitops-ci.yaml": weaker}))
    ran = world.reconcile()
    assert (item(ran, number)["step"], gate_state(world, number)) == ("refused", CheckState.FAILURE)
    assert world.holds("tst") is None


def test_the_policy_of_the_tip_counts_from_the_next_pass_on(at: Station) -> None:
    world = at("tst proposed")
    assert item(world.reconcile(), 2)["step"] == "waiting"
    policy(world, "owners: [tst-owners], ", "approvals: 1, owners: [perf-owners], ")
    world.approve("tst", "petra")
    assert item(world.reconcile(), 2)["step"] == "merged"


def test_a_branch_on_commits_that_main_does_not_have_is_refused(at: Station) -> None:
    world = at("itg proposed")
    builder.commit(
        world.ops_git, {".gitlab/CODEOWNERS": "* @me\n"}, "Hidden", branch="side", start="main"
    )
    number, main = forge_into(world, "itg", Forgery(start="side")), world.main
    ran = world.reconcile()
    assert "commits that are not ours" in said(ran, number)
    assert gate_state(world, number) is not CheckState.SUCCESS
    assert (state(world, number), world.main) == (MergeState.OPEN, main)


def test_a_branch_on_an_older_commit_of_main_is_as_good(at: Station) -> None:
    world = at("itg proposed")
    world.push_to_main({"README.md": "x\n"})
    world.push_to_main({"README.md": "y\n"})
    assert item(world.reconcile(), 1)["step"] == "merged"
    assert blob(world, "README.md") == "y\n"


def test_a_merge_request_with_another_target_is_not_merged_there(at: Station) -> None:
    world = at("itg proposed")
    builder.git("branch", "production", "main", cwd=world.ops_git)
    request, before = world.open_request("itg"), world.main
    world.ops("admin").close(request.number)
    aimed = forged.open_request(world, "itg", request.source, target="production")
    ran = world.reconcile()
    assert said(ran, aimed.number) == "somebody aimed it at `production` instead of `main`"
    assert gate_state(world, aimed.number) is CheckState.PENDING
    assert (world.main, world.branches()["production"]) == (before, before)


def test_a_branch_that_was_brought_up_to_date_by_a_merge_is_not_ours_any_more(at: Station) -> None:
    world = at("tst proposed")
    world.push_to_main({"README.md": "x\n"})
    request = world.open_request("tst")
    tree = builder.git("merge-tree", "--write-tree", request.head, "main", cwd=world.ops_git)
    merge = builder.git(
        "commit-tree", tree, "-p", request.head, "-p", "main", "-m", "Merge", cwd=world.ops_git
    )
    builder.git("update-ref", f"refs/heads/{request.source}", merge, cwd=world.ops_git)
    world.ops("tara").approve(2)
    ran = world.reconcile()
    assert (item(ran, 2)["step"], state(world, 2)) == ("refused", MergeState.OPEN)
    assert "commits that are not ours" in said(ran, 2)
    assert gate_state(world, 2) is CheckState.FAILURE


# --- forged statuses ---------------------------------------------------------


def _forge_status(world: World, number: int, context: str, result: CheckState) -> None:
    request = world.ops().get(number)
    commit = request.merge_commit or request.head
    world.ops(PROPOSER).set_status(commit, context=context, state=result, description="trust me")


def test_a_forged_live_status_opens_no_gate(at: Station) -> None:
    world = at("itg merged")
    _forge_status(world, 1, names.LIVE, CheckState.SUCCESS)
    world.promote("tst", "1.0.0", suites=[SUITE])
    world.approve("tst", "tara")
    ran = world.reconcile()
    assert said(ran, 2) == "the release has not been live on itg"
    assert item(ran, 1)["step"] == "waiting"
    assert world.holds("tst") is None


def test_a_forged_suite_is_no_verified_evidence(at: Station) -> None:
    world = at("itg live")
    policy(
        world, "{name: tst, merge: approved,", "{name: tst, merge: approved, evidence: verified,"
    )
    _forge_status(world, 1, names.suite_context(SUITE), CheckState.SUCCESS)
    world.promote("tst", "1.0.0")
    world.approve("tst", "tara")
    assert f"nothing shows that `{SUITE}` passed" in said(world.reconcile(), 2)
    assert gate_state(world, 2) is CheckState.FAILURE
    world.suite("1.0.0", SUITE)
    assert item(world.reconcile(), 2)["step"] == "merged"


def test_a_forged_failure_stops_nobody(at: Station) -> None:
    world = at("tst proposed")
    _forge_status(world, 1, names.suite_context(SUITE), CheckState.FAILURE)
    _forge_status(world, 1, names.LIVE, CheckState.FAILURE)
    world.approve("tst", "tara")
    assert item(world.reconcile(), 2)["step"] == "merged"


def test_a_forged_gate_changes_nothing(at: Station) -> None:
    world = at("tst proposed")
    _forge_status(world, 2, names.GATE, CheckState.SUCCESS)
    assert item(world.reconcile(), 2)["step"] == "waiting"
    assert gate_state(world, 2) is CheckState.PENDING
    _forge_status(world, 2, names.GATE, CheckState.FAILURE)
    world.approve("tst", "tara")
    assert item(world.reconcile(), 2)["step"] == "merged"


# --- people on our branches --------------------------------------------------


@pytest.mark.parametrize("path", ["values-ops.yaml", "secrets/db.yaml"])
def test_what_belongs_to_operations_is_welcome_and_asks_for_approval_again(
    path: str, at: Station
) -> None:
    world = at("tst proposed")
    world.approve("tst", "tara")
    person(world, 2, {f"{TST}/{path}": "a: 1\n"})
    assert said(world.reconcile(), 2) == "1 approval of tst-owners missing"
    world.approve("tst", "tara")
    assert item(world.reconcile(), 2)["step"] == "merged"
    assert blob(world, f"{TST}/{path}") == "a: 1\n"


def test_people_may_commit_more_than_once_and_take_a_file_away(at: Station) -> None:
    world = at("tst proposed")
    person(world, 2, {OPS_VALUES: "a: 1\n", f"{TST}/secrets/db.yaml": "x: 1\n"})
    person(world, 2, {OPS_VALUES: None})
    world.approve("tst", "tara")
    assert item(world.reconcile(), 2)["step"] == "merged"
    assert blob(world, OPS_VALUES) is None
    assert blob(world, f"{TST}/secrets/db.yaml") == "x: 1\n"


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        f"{TST}/release/values.yaml",
        f"{TST}/release.yaml",
        f"{TST}/notes.md",
        f"environments/prod/{APP}/values-ops.yaml",
        "environments/tst/shop-api/values-ops.yaml",
        "gitops-ci.yaml",
    ],
)
def test_a_persons_commit_elsewhere_is_never_merged(path: str, at: Station) -> None:
    world = at("tst proposed")
    person(world, 2, {path: "a: 1\n"})
    world.approve("tst", "tara")
    main, ran = world.main, world.reconcile()
    assert item(ran, 2)["step"] in {"waiting", "refused"}
    assert gate_state(world, 2) in {CheckState.PENDING, CheckState.FAILURE}
    assert (state(world, 2), world.main) == (MergeState.OPEN, main)


def test_peoples_edits_are_carried_over_when_the_promotion_is_applied_again(at: Station) -> None:
    world = at("tst proposed")
    person(world, 2, {OPS_VALUES: "a: 1\n", f"{TST}/secrets/db.yaml": "x: 1\n"})
    world.push_to_main({f"{TST}/release/values/tst.yaml": "env: {STAGE: by-hand}\n"})
    assert item(world.reconcile(), 2)["step"] == "proposed-again"
    again = world.open_request("tst")
    assert again.source.endswith("-r2")
    assert blob(world, OPS_VALUES, again.head) == "a: 1\n"
    assert blob(world, f"{TST}/secrets/db.yaml", again.head) == "x: 1\n"
    assert said(world.reconcile(), again.number) == "1 approval of tst-owners missing"
    world.approve("tst", "tara")
    assert item(world.reconcile(), again.number)["step"] == "merged"
    assert blob(world, OPS_VALUES) == "a: 1\n"
    assert world.holds("tst") == world.holds("itg")


# --- merging -----------------------------------------------------------------

RACE = """\
#!/bin/sh
case " $* " in
*" merge-tree "*)
    if mkdir {flag} 2>/dev/null; then {git} --git-dir {repo} update-ref {ref} {new}; fi ;;
esac
exec {git} "$@"
"""


def _when_it_merges(world: World, ref: str, new: str) -> None:
    """Somebody moves a ref in the very moment in which the forge merges."""
    folder = world.root / "bin"
    folder.mkdir()
    text = RACE.format(
        flag=folder / "done", git=builder.real_git(), repo=world.ops_git, ref=ref, new=new
    )
    (folder / "git").write_text(text, encoding="utf-8")
    (folder / "git").chmod(0o755)
    world.env["PATH"] = os.pathsep.join((str(folder), os.environ["PATH"]))


def test_a_branch_that_moves_between_judging_and_merging_is_not_merged(at: Station) -> None:
    world = at("itg proposed")
    request, main = world.open_request("itg"), world.main
    evil = builder.commit(
        world.ops_git, {"README.md": "x\n"}, "Evil", branch="evil", start=request.source
    )
    _when_it_merges(world, f"refs/heads/{request.source}", evil)
    ran = world.reconcile()
    assert (world.root / "bin/done").exists()
    assert item(ran, 1)["step"] == "waiting"
    assert (world.main, state(world, 1)) == (main, MergeState.OPEN)
    assert item(world.reconcile(), 1)["step"] == "refused"
    assert blob(world, "README.md") is None


def test_what_was_merged_is_read_back_and_a_surprise_is_an_error(at: Station) -> None:
    world = at("itg live")
    world.promote("itg", "1.1.0")
    files = builder.git("ls-tree", "-r", "--name-only", "main", ITG, cwd=world.ops_git).split()
    moved = {path.replace(APP, "shop-old"): blob(world, path) for path in files}
    renamed = builder.commit(
        world.ops_git, dict.fromkeys(files) | moved, "Rename it", branch="renamed", start="main"
    )
    _when_it_merges(world, "refs/heads/main", renamed)
    ran = world.reconcile()
    number = max(each["number"] for each in ran.data)
    assert (item(ran, number)["step"], ran.code) == ("error", Exit.FAILED), ran
    assert "the stage holds nothing" in said(ran, number)


def test_a_commit_elsewhere_in_the_moment_of_merging_does_not_matter(at: Station) -> None:
    world = at("itg proposed")
    other = builder.commit(world.ops_git, {"README.md": "x\n"}, "Other", branch="o", start="main")
    _when_it_merges(world, "refs/heads/main", other)
    assert item(world.reconcile(), 1)["step"] == "merged"
    assert blob(world, "README.md") == "x\n"
    assert world.holds("itg")


# --- superseding -------------------------------------------------------------


def test_a_newer_release_closes_the_older_one_with_a_link_and_removes_its_branch(
    at: Station,
) -> None:
    world = at("itg proposed")
    old = world.open_request("itg")
    ran = world.promote("itg", "1.1.0")
    assert ran.data["close"] == [{"number": 1, "why": "a newer release is proposed"}]
    assert state(world, 1) is MergeState.CLOSED
    assert world.ops().get(2).url in (comments(world, 1, PROPOSER) or "")
    assert old.source not in world.branches()
    assert {names.SUPERSEDED} == world.ops().get(1).labels & {names.SUPERSEDED, names.PENDING}
    ran = world.reconcile()
    assert [each["number"] for each in ran.data] == [2]


def _approved_stays(world: World) -> None:
    world.approve("tst", "tara")


def _edited_stays(world: World) -> None:
    person(world, 2, {OPS_VALUES: "a: 1\n"})


@pytest.mark.parametrize(
    ("act", "why"),
    [(_approved_stays, "it is approved"), (_edited_stays, "it holds commits of people")],
    ids=["approved", "with people's commits"],
)
def test_what_people_have_worked_on_stays_open_beside_a_newer_one(
    act: Act, why: str, at: Station
) -> None:
    world = at("newer tested")
    act(world)
    world.push_to_main({"holds/a.yaml": hold(stage="tst")})
    ran = world.promote("tst", "1.1.0", suites=[SUITE])
    assert ran.data["close"] == []
    assert f"{world.ops().get(2).url} stays open: {why}" in ran.data["notes"]
    for _ in range(2):
        ran = world.reconcile()
        assert "hold `a`" in said(ran, 2)
        assert state(world, 2) is MergeState.OPEN


def _tested(world: World, version: str) -> None:
    """A release goes through itg, and only through it."""
    assert world.promote("itg", version).code == Exit.DONE
    world.reconcile()
    world.sync("itg")
    world.reconcile()
    world.suite(version, SUITE)
    world.reconcile()


def test_an_approved_older_release_enters_before_the_newer_one(at: Station) -> None:
    world = at("newer tested")
    policy(world, "{name: tst, merge: approved,", "{name: tst, merge: manual,")
    world.approve("tst", "tara")
    world.promote("tst", "1.1.0", suites=[SUITE])
    policy(world, "{name: tst, merge: manual,", "{name: tst, merge: approved,")
    assert item(world.reconcile(), 2)["step"] == "merged"
    newer = world.open_request("tst")
    ran = world.reconcile()
    assert item(ran, newer.number)["step"] == "proposed-again"


def test_an_approved_older_release_is_closed_once_the_newer_one_is_there(at: Station) -> None:
    world = at("newer tested")
    policy(world, "{name: tst, merge: approved,", "{name: tst, merge: manual,")
    world.approve("tst", "tara")
    number = world.promote("tst", "1.1.0", suites=[SUITE]).data["merge_request"]
    world.ops("admin").merge(number, head=world.ops().get(number).head)
    ran = world.reconcile()
    assert (item(ran, 2)["step"], state(world, 2)) == ("closed", MergeState.CLOSED)
    assert "holds the newer" in said(ran, 2)


def _still_open(world: World) -> None:
    pass


def _labelled(world: World) -> None:
    world.ops("admin").update(1, add_labels=[names.SUPERSEDED])


def _closed(world: World) -> None:
    _labelled(world)
    world.ops("admin").close(1)


def _branch_gone(world: World) -> None:
    _closed(world)
    builder.git("update-ref", "-d", f"refs/heads/{world.ops().get(1).source}", cwd=world.ops_git)


@pytest.mark.parametrize(
    "killed",
    [_still_open, _labelled, _closed, _branch_gone],
    ids=["the newer is open", "labelled", "closed", "its branch is gone"],
)
def test_a_superseding_that_was_killed_is_finished_by_the_next_pass(
    killed: Act, at: Station
) -> None:
    world = at("itg proposed")
    old = world.open_request("itg")
    world.ops("petra").approve(1)  # so that `promote` leaves it open
    world.promote("itg", "1.1.0")
    world.ops("petra").unapprove(1)
    killed(world)
    world.push_to_main({"holds/a.yaml": hold(stage="itg")})
    world.reconcile()
    assert state(world, 1) is MergeState.CLOSED
    assert names.PENDING not in world.ops().get(1).labels
    assert names.SUPERSEDED in world.ops().get(1).labels
    assert old.source not in world.branches()
    assert [each["number"] for each in world.reconcile().data] == [2]


def test_what_a_person_has_closed_keeps_its_branch(at: Station) -> None:
    world = at("itg proposed")
    source = world.open_request("itg").source
    world.ops("admin").close(1)
    assert item(world.reconcile(), 1)["step"] == "done"
    assert source in world.branches()
    assert world.reconcile().data == []


def test_a_branch_that_a_person_moved_after_the_closing_is_kept(at: Station) -> None:
    world = at("itg proposed")
    source = world.open_request("itg").source
    world.ops("admin").update(1, add_labels=[names.SUPERSEDED])
    world.ops("admin").close(1)
    mine = builder.commit(world.ops_git, {"README.md": "x\n"}, "Mine", branch=source)
    world.reconcile()
    assert world.branches().get(source) == mine


def _rebuilt(world: World, *more: str) -> Ran:
    """The same commit with an image of another digest."""
    image = f"{APP}=registry.example.com/shop/web:1.0.0@sha256:{'ab' * 32}"
    return world.promote("itg", "1.0.0", "--image", image, *more)


def test_of_two_builds_of_one_commit_the_later_one_is_the_newer(at: Station) -> None:
    world = at("itg proposed")
    rebuilt = _rebuilt(world).data
    assert rebuilt["result"] == "opened"
    assert state(world, 1) is MergeState.CLOSED
    assert world.promote("itg", "1.0.0").data["result"] == "superseded"
    world.reconcile()
    assert world.holds("itg") == rebuilt["release"]


def test_a_build_that_was_merged_before_does_not_come_back_by_itself(at: Station) -> None:
    world = at("itg live")
    assert _rebuilt(world).data["result"] == "opened"
    world.reconcile()
    again = world.promote("itg", "1.0.0")
    assert (again.code, again.data["result"]) == (Exit.DONE, "superseded")


# --- applying again ----------------------------------------------------------


def _proposed_and_held(at: Station) -> World:
    """1.0.0 is live on itg; 1.1.0 waits in front of it."""
    world = at("itg live")
    world.push_to_main({"holds/a.yaml": hold(stage="itg")})
    world.promote("itg", "1.1.0")
    return world


def test_a_first_stage_that_changed_on_main_is_proposed_anew(at: Station) -> None:
    world = _proposed_and_held(at)
    old = world.open_request("itg")
    tree = builder.git("rev-parse", f"{old.head}:{ITG}/release", cwd=world.ops_git)
    world.push_to_main({f"{ITG}/release/values/itg.yaml": "env: {STAGE: by-hand}\n"})
    assert item(world.reconcile(), old.number)["step"] == "proposed-again"
    new = world.open_request("itg")
    assert (new.source, state(world, old.number)) == (f"{old.source}-r2", MergeState.CLOSED)
    assert new.url in (comments(world, old.number) or "")
    assert old.source not in world.branches()
    assert builder.git("rev-parse", f"{new.head}:{ITG}/release", cwd=world.ops_git) == tree
    assert builder.git("rev-parse", f"{new.head}^", cwd=world.ops_git) == world.main
    message = builder.git("show", "-s", "--format=%B", new.head, cwd=world.ops_git)
    assert "Gitops-Attempt: 2" in message
    world.push_to_main({"holds/a.yaml": None})
    assert item(world.reconcile(), new.number)["step"] == "merged"
    assert builder.git("rev-parse", f"main:{ITG}/release", cwd=world.ops_git) == tree


def test_a_directory_that_was_renamed_on_main_is_never_merged_into(at: Station) -> None:
    world = _proposed_and_held(at)
    files = builder.git("ls-tree", "-r", "--name-only", "main", ITG, cwd=world.ops_git).split()
    moved = {path.replace(APP, "shop-old"): blob(world, path) for path in files}
    world.push_to_main(dict.fromkeys(files) | moved | {"holds/a.yaml": None})
    renamed = builder.git("rev-parse", "main:environments/itg/shop-old", cwd=world.ops_git)
    number = world.open_request("itg").number
    assert item(world.reconcile(), number)["step"] == "proposed-again"
    again = world.open_request("itg")
    assert item(world.reconcile(), again.number)["step"] == "merged"
    after = builder.git("rev-parse", "main:environments/itg/shop-old", cwd=world.ops_git)
    assert after == renamed
    assert world.holds("itg") == names.parse_branch(again.source).release  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "files",
    [
        {"environments/itg/shop-api/release.yaml": "x: 1\n"},
        {f"environments/tst/{APP}/values-ops.yaml": "x: 1\n"},
        {f"{ITG}/values-ops.yaml": "x: 1\n"},
        {f"{ITG}/secrets/db.yaml": "x: 1\n"},
        {"README.md": "x\n"},
    ],
    ids=lambda files: next(iter(files)),
)
def test_changes_that_are_no_promotions_do_not_start_it_again(
    files: dict[str, str], at: Station
) -> None:
    world = _proposed_and_held(at)
    number = world.open_request("itg").number
    world.push_to_main({**files, "holds/a.yaml": None})
    assert item(world.reconcile(), number)["step"] == "merged"
    assert {path: blob(world, path) for path in files} == files


def test_a_branch_that_somebody_deleted_is_made_again_for_a_later_stage(at: Station) -> None:
    world = at("tst proposed")
    source = world.open_request("tst").source
    builder.git("update-ref", "-d", f"refs/heads/{source}", cwd=world.ops_git)
    assert item(world.reconcile(), 2)["step"] == "proposed-again"
    again = world.open_request("tst")
    world.approve("tst", "tara")
    assert item(world.reconcile(), again.number)["step"] == "merged"


# --- live --------------------------------------------------------------------


def live_state(world: World, number: int) -> CheckState | None:
    return suites(world, number).get("live")


def test_nothing_is_recorded_while_the_cluster_has_not_synced(at: Station) -> None:
    world = at("itg merged")
    ran = world.reconcile()
    assert (item(ran, 1)["step"], live_state(world, 1)) == ("waiting", None)
    assert "has not synced it" in said(ran, 1)
    assert item(world.reconcile(), 1)["step"] == "waiting"


def test_a_manual_stage_waits_for_a_sync(at: Station) -> None:
    world = at("tst merged")
    ran = world.reconcile()
    assert "waits for a Sync of `shop-web-tst`" in said(ran, 2)
    assert live_state(world, 2) is None


def test_progressing_is_not_live_yet(at: Station) -> None:
    world = at("itg merged")
    world.sync("itg", Health.PROGRESSING)
    ran = world.reconcile()
    assert (item(ran, 1)["step"], live_state(world, 1)) == ("waiting", None)


def test_degraded_is_a_failure_that_can_be_mended(at: Station) -> None:
    world = at("itg merged")
    world.sync("itg", Health.DEGRADED)
    ran = world.reconcile()
    assert (item(ran, 1)["step"], live_state(world, 1)) == ("failed", CheckState.FAILURE)
    assert ran.code == Exit.DONE
    world.sync("itg")
    assert item(world.reconcile(), 1)["step"] == "live"
    assert live_state(world, 1) is CheckState.SUCCESS


def test_once_live_stays_live_whatever_happens_later(at: Station) -> None:
    world = at("itg live")
    world.sync("itg", Health.DEGRADED)
    world.reconcile()
    assert live_state(world, 1) is CheckState.SUCCESS


def test_a_sync_that_failed_is_a_failure_with_the_clusters_words(at: Station) -> None:
    world = at("itg merged")
    world.live.set_live(
        stage="itg",
        app=APP,
        revision=None,
        health=Health.MISSING,
        failed=world.main,
        message="no quota",
    )
    ran = world.reconcile()
    assert (item(ran, 1)["step"], live_state(world, 1)) == ("failed", CheckState.FAILURE)
    assert "no quota" in said(ran, 1)


def test_a_failed_sync_of_the_next_release_is_not_held_against_this_one(at: Station) -> None:
    world = at("itg merged")
    first = world.main
    world.promote("itg", "1.1.0")
    world.reconcile()
    world.live.set_live(stage="itg", app=APP, revision=first, failed=world.main, message="boom")
    ran = world.reconcile()
    assert [item(ran, number)["step"] for number in (1, 2)] == ["live", "failed"]


def test_a_release_that_was_overtaken_before_it_was_live_is_done(at: Station) -> None:
    world = at("itg merged")
    world.promote("itg", "1.1.0")
    world.reconcile()
    world.sync("itg")
    ran = world.reconcile()
    assert (item(ran, 1)["step"], item(ran, 2)["step"]) == ("done", "live")
    assert live_state(world, 1) is CheckState.FAILURE
    assert names.PENDING not in world.ops().get(1).labels
    assert all(
        job.state is JobState.MANUAL
        for job in world.dev().jobs(world.versions["1.0.0"])
        if job.name.startswith("gitops-live")
    )


def _live_job(world: World, version: str = "1.0.0", stage: str = "itg") -> list[Job]:
    name = names.live_job(stage)
    return [job for job in world.dev().jobs(world.versions[version]) if job.name == name]


def test_the_live_job_is_played_once(at: Station) -> None:
    world = at("itg merged")
    assert [job.state for job in _live_job(world)] == [JobState.MANUAL]
    world.sync("itg")
    world.reconcile()
    assert [job.state for job in _live_job(world)] == [JobState.WAITING]
    world.dev().set_job(_live_job(world)[0].id, JobState.PASSED)
    before = world.refs()
    world.reconcile()
    assert world.refs() == before
    assert [job.state for job in _live_job(world)] == [JobState.PASSED]


def test_a_live_job_that_was_played_by_hand_is_left_alone(at: Station) -> None:
    world = at("itg merged")
    job = world.dev().play(_live_job(world)[0])
    world.dev().set_job(job.id, JobState.RUNNING)
    world.sync("itg")
    assert item(world.reconcile(), 1)["step"] == "live"
    assert [job.state for job in _live_job(world)] == [JobState.RUNNING]


def test_a_live_job_with_two_runs_plays_only_the_newest(at: Station) -> None:
    world = at("itg merged")
    job = world.dev().play(_live_job(world)[0])
    world.dev().set_job(job.id, JobState.FAILED)
    world.dev().retry(job.id)
    world.sync("itg")
    world.reconcile()
    assert [job.state for job in _live_job(world)] == [JobState.FAILED, JobState.WAITING]


def test_without_the_dev_project_a_person_is_told_what_to_play(at: Station) -> None:
    world = at("itg merged")
    shutil.rmtree(world.dev_git)
    world.sync("itg")
    ran = world.reconcile()
    assert said(ran, 1) == "no token for `shop/web`: play `gitops-live-itg`"
    assert live_state(world, 1) is CheckState.SUCCESS
    assert world.reconcile().data == []


def test_the_whole_gate_works_without_the_dev_project(at: Station) -> None:
    world = at("itg live")
    world.promote("tst", "1.0.0", suites=[SUITE])
    shutil.rmtree(world.dev_git)
    world.approve("tst", "tara")
    assert item(world.reconcile(), 2)["step"] == "merged"


# --- evidence from jobs ------------------------------------------------------


def test_a_suite_that_is_no_job_is_told_with_the_jobs_there_are(at: Station) -> None:
    world = at("itg live")
    policy(world, "requires: [integration-tests]", "requires: [e2e]")
    ran = world.reconcile()
    assert "no job `e2e`" in said(ran, 1)
    assert "`integration-tests`" in said(ran, 1)
    assert "suite/e2e" not in suites(world, 1)
    assert names.PENDING in world.ops().get(1).labels


def _with_jobs(world: World, version: str, *jobs: Job) -> None:
    """A developer's merge whose pipeline is made of these jobs."""
    builder.write_tree({"src/version.txt": version}, world.dev_folder)
    builder.git("commit", "--quiet", "--all", "--message", version, cwd=world.dev_folder)
    commit = builder.git("rev-parse", "HEAD", cwd=world.dev_folder)
    builder.git(
        "push", "--quiet", world.dev_git.as_uri(), "HEAD:refs/heads/main", cwd=world.dev_folder
    )
    world.dev().create_pipeline(commit, jobs)
    world.versions[version] = commit


def test_a_job_that_may_fail_proves_nothing(at: Station) -> None:
    world = at("committed")
    world.checkout("1.1.0")
    _with_jobs(world, "2.0.0", Job(0, SUITE, JobState.WAITING, allow_failure=True))
    world.enter("itg", "2.0.0")
    world.suite("2.0.0", SUITE)
    ran = world.reconcile()
    assert said(ran, 1) == f"`{SUITE}` may fail, so its result says nothing"
    assert f"suite/{SUITE}" not in suites(world, 1)


def test_a_pipeline_without_a_live_job_is_no_obstacle(at: Station) -> None:
    world = at("committed")
    world.checkout("1.1.0")
    _with_jobs(world, "2.0.0", Job(0, SUITE, JobState.WAITING))
    world.enter("itg", "2.0.0")
    world.suite("2.0.0", SUITE)
    assert item(world.reconcile(), 1)["step"] == "done"
    assert suites(world, 1)[f"suite/{SUITE}"] is CheckState.SUCCESS


def test_a_suite_that_ran_before_the_release_was_live_has_to_run_again(at: Station) -> None:
    world = at("itg merged")
    world.suite("1.0.0", SUITE)
    world.sync("itg")
    assert said(world.reconcile(), 1) == f"`{SUITE}` ran before the release was live"
    assert f"suite/{SUITE}" not in suites(world, 1)
    world.suite("1.0.0", SUITE)
    assert item(world.reconcile(), 1)["step"] == "done"
    assert suites(world, 1)[f"suite/{SUITE}"] is CheckState.SUCCESS


def test_a_suite_that_ran_after_the_next_release_took_over_does_not_count(at: Station) -> None:
    world = at("itg live")
    world.promote("itg", "1.1.0")
    world.reconcile()
    world.suite("1.0.0", SUITE)
    assert said(world.reconcile(), 1) == f"`{SUITE}` ran while another release was taking over"
    assert f"suite/{SUITE}" not in suites(world, 1)
    assert names.PENDING not in world.ops().get(1).labels


def test_a_suite_that_ended_in_time_counts_though_it_is_read_later(at: Station) -> None:
    world = at("itg live")
    world.suite("1.0.0", SUITE)
    world.promote("itg", "1.1.0")
    world.reconcile()
    world.sync("itg")
    world.reconcile()
    assert suites(world, 1)[f"suite/{SUITE}"] is CheckState.SUCCESS


def test_in_a_manual_stage_the_next_merge_ends_nothing_before_its_sync(at: Station) -> None:
    world = at("tst merged")
    policy(world, "{name: tst, merge: approved,", "{name: tst, merge: auto,")
    world.sync("tst")
    world.reconcile()
    _tested(world, "1.1.0")
    world.promote("tst", "1.1.0", suites=[SUITE])
    world.reconcile()
    assert world.holds("tst") == world.holds("itg")
    world.suite("1.0.0", "acceptance-tests")
    world.reconcile()
    assert suites(world, 2)["suite/acceptance-tests"] is CheckState.SUCCESS


def test_of_a_suites_retries_the_newest_counts(at: Station) -> None:
    world = at("itg live")
    world.suite("1.0.0", SUITE, JobState.FAILED)
    world.reconcile()
    assert suites(world, 1)[f"suite/{SUITE}"] is CheckState.FAILURE
    assert names.PENDING in world.ops().get(1).labels
    world.suite("1.0.0", SUITE)
    assert item(world.reconcile(), 1)["step"] == "done"
    assert suites(world, 1)[f"suite/{SUITE}"] is CheckState.SUCCESS


def test_a_canceled_suite_is_no_result(at: Station) -> None:
    world = at("itg live")
    world.suite("1.0.0", SUITE, JobState.CANCELED)
    assert said(world.reconcile(), 1) == f"`{SUITE}` is canceled"
    assert f"suite/{SUITE}" not in suites(world, 1)


def test_a_merged_promotion_loses_label_and_branch_when_all_is_recorded(at: Station) -> None:
    world = at("itg live")
    source = world.ops().get(1).source
    assert source in world.branches()
    world.suite("1.0.0", SUITE)
    world.reconcile()
    assert names.PENDING not in world.ops().get(1).labels
    assert source not in world.branches()


# --- the pass ----------------------------------------------------------------


def test_one_promotions_error_does_not_stop_the_others(at: Station) -> None:
    world = at("tst proposed")
    world.promote("itg", "1.1.0")
    world.push_to_main({f"{TST}/release.yaml": "kind: nonsense\n"})
    ran = world.reconcile()
    assert (item(ran, 2)["step"], item(ran, 2)["code"]) == ("error", Exit.USAGE)
    assert f"{TST}/release.yaml" in said(ran, 2)
    assert item(ran, 3)["step"] == "merged"
    assert ran.code == Exit.USAGE


def test_a_stage_that_nobody_knows_refuses_that_merge_request_alone(at: Station) -> None:
    world = at("itg proposed")
    branch = world.open_request("itg").source.replace("/itg/", "/uat/")
    builder.commit(world.ops_git, {"x": "y\n"}, "x", branch=branch, start="main")
    made = forged.open_request(world, "uat", branch)
    ran = world.reconcile()
    assert (item(ran, made.number)["step"], ran.code) == ("refused", Exit.DONE)
    assert "no stage `uat`" in said(ran, made.number)
    assert item(ran, 1)["step"] == "merged"


def test_merge_requests_of_others_are_none_of_its_business(at: Station) -> None:
    world = at("itg proposed")
    builder.commit(world.ops_git, {"x": "y\n"}, "x", branch="feature", start="main")
    labels = frozenset({names.LABEL, names.PENDING})
    made = world.ops("admin").open(Draft("feature", "main", "Mine", "", labels))
    before = world.ops().get(made.number)
    ran = world.reconcile()
    assert [each["number"] for each in ran.data] == [1]
    assert world.ops().get(made.number) == before


def test_all_finds_what_has_lost_its_label(at: Station) -> None:
    world = at("itg proposed")
    world.ops("admin").update(1, remove_labels=[names.PENDING])
    assert world.reconcile().data == []
    assert world.holds("itg") is None
    assert item(world.reconcile("--all"), 1)["step"] == "merged"


def test_all_is_safe_on_what_is_finished(at: Station) -> None:
    world = at("itg tested")
    before = world.refs()
    ran = world.reconcile("--all")
    assert (ran.code, item(ran, 1)["step"]) == (Exit.DONE, "done")
    assert world.refs() == before


def test_with_nothing_to_do_git_is_asked_for_the_list_alone(at: Station, tmp_path: Path) -> None:
    world = at("committed")
    wrappers = recording.install(tmp_path / "bin", tmp_path / "calls")
    path = os.pathsep.join((str(wrappers), os.environ["PATH"]))
    world.env["PATH"] = path
    ran = world.reconcile()
    assert (ran.code, ran.data) == (Exit.DONE, [])
    calls = recording.recorded_calls(tmp_path / "calls")
    (tmp_path / "calls").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", path)
        world.ops().list(labels={names.PENDING})
    assert calls == recording.recorded_calls(tmp_path / "calls")


def test_the_result_is_a_list_of_what_became_of_each(at: Station) -> None:
    world = at("itg proposed")
    request = world.open_request("itg")
    ran = world.reconcile()
    assert ran.data == [
        {
            "number": 1,
            "url": request.url,
            "stage": "itg",
            "app": APP,
            "release": names.parse_branch(request.source).release,  # type: ignore[union-attr]
            "step": "merged",
            "messages": ["all rules are met"],
            "code": 0,
            "hint": None,
        }
    ]
    assert "-> itg: merged, all rules are met\n" in ran.err


def test_people_read_one_line_for_each_and_a_count(at: Station) -> None:
    world = at("itg proposed")
    ran = world.run("reconcile", "--no-diff", user=MERGER)
    assert (ran.code, ran.out) == (Exit.DONE, "looked at 1 promotion\n")
    assert ran.err.startswith("!1 shop-web-1.0.0-")


def test_who_may_not_merge_is_told_and_the_next_run_is_right(at: Station) -> None:
    world = at("itg proposed")
    ran = world.run("reconcile", "--no-diff", "--output", "json", user=PROPOSER)
    assert ran.code == Exit.USAGE
    assert item(ran, 1)["step"] == "error"
    assert world.holds("itg") is None
    assert item(world.reconcile(), 1)["step"] == "merged"


# --- the rendered difference -------------------------------------------------

DIFF = "<!-- gitops-ci:rendered-diff -->"
CHART = "deploy/chart"


def with_diff(world: World, helm: Helm) -> Ran:
    return world.run("reconcile", "--output", "json", "--helm", str(helm.path), user=MERGER)


def diff_of(world: World, number: int) -> str:
    return world.ops().comment_with(number, DIFF) or ""


def rendered(world: World, helm: Helm, revision: str, stage: str, to: Path) -> dict[str, str]:
    """What `helm template` says about a stage directory, by kind and name; called by ourselves."""
    place = f"environments/{stage}/{APP}"
    listing = builder.git("ls-tree", "-r", "--name-only", revision, place, cwd=world.ops_git)
    for path in listing.split():
        builder.write_tree({path: blob(world, path, revision) or ""}, to)
    folder = to / place
    if not (folder / "release").exists():
        return {}
    values = ["release/values.yaml", f"release/values/{stage}.yaml", "values-ops.yaml"]
    args = [f"--values={folder / v}" for v in values if (folder / v).exists()]
    done = subprocess.run(
        [
            helm.path,
            "template",
            APP,
            folder / "release/chart",
            "--namespace",
            APP,
            "--kube-version",
            "1.34.0",
            *args,
        ],
        capture_output=True,
        text=True,
        check=True,
        env={"HOME": str(to), "PATH": os.environ["PATH"]},
    )
    found = {}
    for document in re.split(r"^---\n", done.stdout, flags=re.MULTILINE):
        text = re.sub(r"\A# Source: .*\n", "", document).strip("\n")
        kind = re.search(r"^kind: (.+)$", text, re.MULTILINE)
        name = re.search(r"^  name: (.+)$", text, re.MULTILINE)
        if kind and name:
            found[f"{kind[1]} {name[1]}"] = text
    return found


def differences(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """The unified difference of each resource that differs, made here."""
    found = {}
    for key in old.keys() | new.keys():
        a, b = (side[key].split("\n") if key in side else [] for side in (old, new))
        if a != b:
            found[key] = "\n".join(list(difflib.unified_diff(a, b, lineterm=""))[2:])
    return found


def shown(comment: str) -> dict[str, str]:
    """The differences that a comment shows, by kind and name."""
    blocks = re.findall(
        r"<summary>(\w+): <code>(.*?)</code></summary>\n\n(`+)diff\n(.*?)\n\3", comment, re.DOTALL
    )
    return {html.unescape(name): text for _, name, _, text in blocks}


def test_the_rendered_difference_of_a_first_entry_is_all_there_is(
    at: Station, helm: Helm, tmp_path: Path
) -> None:
    world = at("itg proposed")
    head = world.open_request("itg").head
    assert item(with_diff(world, helm), 1)["step"] == "merged"
    expected = rendered(world, helm, head, "itg", tmp_path / "new")
    assert set(expected) == {f"Deployment {APP}", f"Service {APP}"}
    assert shown(diff_of(world, 1)) == differences({}, expected)
    assert "(2 added)" in diff_of(world, 1)


CHANGED = {
    "deploy/values/itg.yaml": "env: {STAGE: itg, COLOUR: green}\nreplicas: 3\n",
    f"{CHART}/templates/service.yaml": "",
    f"{CHART}/templates/map.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-map\n"
        "data:\n  note: |\n    ```\n    </details> @all\n"
    ),
}


def test_the_rendered_difference_is_that_of_two_runs_of_helm(
    at: Station, helm: Helm, tmp_path: Path
) -> None:
    world = at("itg live")
    world.checkout("1.1.0")
    world.commit("2.0.0", CHANGED)
    number = world.promote("itg", "2.0.0").data["merge_request"]
    head, main = world.open_request("itg").head, world.main
    assert item(with_diff(world, helm), number)["step"] == "merged"
    old = rendered(world, helm, main, "itg", tmp_path / "old")
    new = rendered(world, helm, head, "itg", tmp_path / "new")
    expected = differences(old, new)
    assert set(expected) == {f"Deployment {APP}", f"Service {APP}", f"ConfigMap {APP}-map"}
    assert shown(diff_of(world, number)) == expected
    assert "(1 added, 1 changed, 1 removed)" in diff_of(world, number)


def test_the_overrides_of_operations_are_in_the_rendered_difference(
    at: Station, helm: Helm, tmp_path: Path
) -> None:
    world = at("tst proposed")
    person(world, 2, {OPS_VALUES: "replicas: 7\n"})
    head = world.open_request("tst").head
    with_diff(world, helm)
    assert shown(diff_of(world, 2)) == differences(
        {}, rendered(world, helm, head, "tst", tmp_path / "new")
    )
    assert "replicas: 7" in diff_of(world, 2)


def test_the_rendered_difference_is_made_once_for_a_head_and_a_target(
    at: Station, helm: Helm, tmp_path: Path
) -> None:
    world = at("tst proposed")
    with_diff(world, helm)
    first, before = diff_of(world, 2), world.refs()
    assert f"head={world.open_request('tst').head} " in first
    nobody = tmp_path / "no-helm"
    nobody.write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
    nobody.chmod(0o755)
    with_diff(world, replace(helm, path=nobody))
    assert (diff_of(world, 2), world.refs()) == (first, before)
    world.push_to_main({OPS_VALUES: "replicas: 5\n"})
    with_diff(world, helm)
    second = diff_of(world, 2)
    assert second != first
    person(world, 2, {f"{TST}/secrets/x.yaml": "x: 1\n"})
    with_diff(world, helm)
    assert f"head={world.open_request('tst').head} " in diff_of(world, 2)
    assert diff_of(world, 2) != second


def test_a_promotion_that_is_applied_again_gets_a_difference_of_its_own(
    at: Station, helm: Helm
) -> None:
    world = at("tst proposed")
    with_diff(world, helm)
    world.push_to_main({f"{TST}/release/values/tst.yaml": "env: {STAGE: by-hand}\n"})
    with_diff(world, helm)
    again = world.open_request("tst")
    assert diff_of(world, again.number) == ""
    with_diff(world, helm)
    assert f"head={again.head} " in diff_of(world, again.number)


def test_the_values_of_secrets_are_never_shown(at: Station, helm: Helm) -> None:
    world = at("itg live")
    secret = (
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\n"
        "stringData:\n  password: {{ .Values.password }}\n"
    )
    values = "image:\n  repository: x/y\n  tag: unset\npassword: hunter2-old\n"
    world.checkout("1.1.0")
    world.commit("2.0.0", {f"{CHART}/templates/db.yaml": secret, "deploy/values.yaml": values})
    world.promote("itg", "2.0.0")
    with_diff(world, helm)
    world.checkout("2.0.0")
    world.commit("2.1.0", {"deploy/values.yaml": values.replace("old", "new")})
    world.promote("itg", "2.1.0")
    with_diff(world, helm)
    texts = [diff_of(world, number) for number in (2, 3)]
    assert all("Secret db" in text for text in texts)
    assert not [text for text in texts if "hunter2" in text or "aHVudGVyMi" in text]
    assert "+++++++++" in texts[1]


def test_a_chart_that_does_not_render_is_told_and_the_gate_judged_all_the_same(
    at: Station, helm: Helm
) -> None:
    world = at("itg live")
    world.checkout("1.1.0")
    world.commit("2.0.0", {f"{CHART}/templates/no.yaml": '{{ fail "out of colours" }}\n'})
    number = world.promote("itg", "2.0.0").data["merge_request"]
    assert item(with_diff(world, helm), number)["step"] == "merged"
    assert "cannot be rendered" in diff_of(world, number)
    assert "out of colours" in diff_of(world, number)


def test_no_difference_is_made_where_none_is_wanted(at: Station) -> None:
    world = at("itg proposed")
    world.reconcile()
    assert diff_of(world, 1) == ""
