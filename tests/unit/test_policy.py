"""The gate: what lets a merge request into its stage, what makes it wait, what refuses it."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from gitops_ci import names
from gitops_ci.config import Evidence, Merge, Stage
from gitops_ci.forge import Approval
from gitops_ci.passports import By, EvidenceLine, ImageRef, Passport, Result
from gitops_ci.policy import Content, Facts, Gate, Verdict, content_faults, counted, gate
from gitops_ci.progress import Entered
from tests.support.promotions import (
    BOT,
    BRANCH_TIP,
    ITG,
    OPS,
    OURS,
    PLACE,
    SUITE,
    TST,
    hold,
    lived,
    oid,
    passport,
    request,
)

OWNERS = frozenset({"anna", "otto", BOT})


def approvals(*users: str, head: str = BRANCH_TIP) -> tuple[Approval, ...]:
    return tuple(Approval(user, head) for user in users)


def facts(stage: Stage = TST, **more: Any) -> Facts:
    """A merge request that nothing stands against, with what a case changes in it."""
    usual = Facts(
        stage=stage,
        request=request(3),
        passport=OURS,
        before=(lived(),),
        approvals=approvals("anna"),
        approvers=OWNERS,
    )
    return replace(usual, **more)


def untested(stage: str = "itg") -> Entered:
    return replace(lived(stage), suites={})


def with_line(stage: str, suite: str, result: Result, by: By) -> Passport:
    return replace(OURS, evidence=(EvidenceLine(stage, suite, result, by),))


def test_a_merge_request_that_meets_every_rule_is_green() -> None:
    found = gate(facts())
    assert found == Gate(Verdict.GREEN)
    assert found.summary == "all rules are met"


def test_an_automatic_first_stage_needs_nobody() -> None:
    assert gate(facts(ITG, before=(), approvals=(), approvers=None)) == Gate(Verdict.GREEN)


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "a fault of the content": ({"faults": ("it is broken",)}, "it is broken"),
    "another dev project": ({"current": passport("1.0.0", project="cart/web")}, "cart/web"),
    "another tree than was tested": (
        {"before": (lived(of=passport("2.1.0", tree=oid("other"))),)},
        "not the one that itg has tested",
    ),
    "a failed suite": ({"before": (lived(**{SUITE: Result.FAILED}),)}, f"`{SUITE}` failed"),
    "a hold on the release": ({"holds": (hold(release=OURS.id),)}, "hold `wrong-prices` of jane"),
}
WAITS: dict[str, tuple[dict[str, Any], str]] = {
    "a reason found while looking": ({"waits": ("anna has commits on it",)}, "anna has"),
    "not live before": ({"before": (replace(lived(), live_since=None),)}, "not been live on itg"),
    "no evidence": ({"before": (untested(),)}, f"`{SUITE}` has not passed"),
    "the label": (
        {"request": request(3, labels=frozenset({names.HOLD}))},
        f"the label `{names.HOLD}`",
    ),
    "a hold on the app": ({"holds": (hold(app="shop-web"),)}, "prices are wrong"),
    "a hold on the stage": ({"holds": (hold(stage="tst"),)}, "prices are wrong"),
    "no approval": ({"approvals": ()}, "1 approval of tst-owners missing"),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_what_cannot_become_good_is_refused_with_one_reason(reason: str) -> None:
    changed, said = REFUSALS[reason]
    found = gate(facts(**changed))
    assert found.verdict is Verdict.REFUSED
    assert len(found.reasons) == 1
    assert said in found.reasons[0]
    assert found.summary == found.reasons[0]


@pytest.mark.parametrize("reason", WAITS)
def test_what_can_become_good_waits_with_one_reason(reason: str) -> None:
    changed, said = WAITS[reason]
    found = gate(facts(**changed))
    assert found.verdict is Verdict.WAITING
    assert len(found.reasons) == 1
    assert said in found.reasons[0]


def disjoint(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return not one.keys() & other.keys()


@pytest.mark.parametrize(
    ("one", "other"),
    [(a, b) for a, b in combinations(WAITS, 2) if disjoint(WAITS[a][0], WAITS[b][0])],
)
def test_of_two_reasons_to_wait_both_are_told(one: str, other: str) -> None:
    found = gate(facts(**WAITS[one][0], **WAITS[other][0]))
    assert found.verdict is Verdict.WAITING
    assert len(found.reasons) == 2
    assert found.summary == f"{found.reasons[0]} (+1 more)"


@pytest.mark.parametrize(
    ("refusal", "wait"),
    [(r, w) for r in REFUSALS for w in WAITS if disjoint(REFUSALS[r][0], WAITS[w][0])],
)
def test_a_refusal_stands_above_a_wait(refusal: str, wait: str) -> None:
    found = gate(facts(**REFUSALS[refusal][0], **WAITS[wait][0]))
    assert found.verdict is Verdict.REFUSED
    assert found == gate(facts(**REFUSALS[refusal][0]))


# --- approvals ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "approvers", "expected"),
    [
        (approvals("anna", "otto"), OWNERS, {"anna", "otto"}),
        (approvals("anna", "anna"), OWNERS, {"anna"}),
        (approvals("eve"), OWNERS, set()),
        (approvals("eve"), None, {"eve"}),
        (approvals("anna", head=oid("an older head")), OWNERS, set()),
        (approvals(BOT), OWNERS, set()),
        (approvals(BOT), None, set()),
        (approvals("anna"), frozenset(), set()),
        ((), None, set()),
    ],
)
def test_approvals_count_of_owners_on_this_head_and_never_of_the_author(
    given: tuple[Approval, ...], approvers: frozenset[str] | None, expected: set[str]
) -> None:
    assert counted(request(3), given, approvers) == expected


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (approvals(), "2 approvals of a or b missing"),
        (approvals("anna"), "1 approval of a or b missing"),
        (approvals("anna", "eve"), "1 approval of a or b missing"),
        (approvals("anna", "anna"), "1 approval of a or b missing"),
    ],
)
def test_missing_approvals_are_counted_and_their_owners_named(
    given: tuple[Approval, ...], missing: str
) -> None:
    stage = replace(TST, approvals=2, owners=("a", "b"))
    assert gate(facts(stage, approvals=given)).reasons == (missing,)


def test_a_stage_without_owners_asks_anybody_but_the_author() -> None:
    stage = replace(TST, owners=())
    said = "1 approval of anybody but its author missing"
    assert gate(facts(stage, approvals=approvals(BOT), approvers=None)).reasons == (said,)
    assert gate(facts(stage, approvals=approvals("eve"), approvers=None)).verdict is Verdict.GREEN


@pytest.mark.parametrize("merge", list(Merge))
def test_the_gate_asks_for_the_approvals_whoever_merges(merge: Merge) -> None:
    stage = replace(TST, merge=merge, approvals=1)
    assert gate(facts(stage, approvals=())).verdict is Verdict.WAITING
    assert gate(facts(stage)).verdict is Verdict.GREEN


# --- evidence ----------------------------------------------------------------

CLAIM = with_line("itg", SUITE, Result.PASSED, By.CLAIMED)


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        (CLAIM, True),
        (with_line("itg", SUITE, Result.FAILED, By.CLAIMED), False),
        (with_line("itg", "lint", Result.PASSED, By.CLAIMED), False),
        (OURS, False),
    ],
)
def test_a_claim_in_the_passport_counts_for_its_own_stage_and_suite(
    line: Passport, counts: bool
) -> None:
    found = gate(facts(passport=line, before=(untested(),)))
    assert found.verdict is (Verdict.GREEN if counts else Verdict.WAITING)


def test_where_facts_are_demanded_a_claim_is_none() -> None:
    stage = replace(TST, evidence=Evidence.VERIFIED)
    found = gate(facts(stage, passport=CLAIM, before=(untested(),)))
    assert found.reasons == (f"`{SUITE}` has not passed",)
    assert gate(facts(stage)).verdict is Verdict.GREEN


def test_a_passport_that_calls_its_own_line_verified_is_not_believed() -> None:
    line = with_line("itg", SUITE, Result.PASSED, By.VERIFIED)
    found = gate(facts(passport=line, before=(untested(),)))
    assert found.reasons == (f"nothing shows that `{SUITE}` passed on itg (verified)",)


def test_a_line_about_a_stage_that_the_release_need_not_pass_is_refused() -> None:
    line = with_line("perf", SUITE, Result.PASSED, By.CLAIMED)
    assert gate(facts(passport=line)).verdict is Verdict.REFUSED


def test_a_line_that_the_stage_before_has_already_is_kept() -> None:
    line = with_line("dev", "smoke", Result.PASSED, By.VERIFIED)
    before = (replace(lived(), passport=line),)
    assert gate(facts(passport=line, before=before)).verdict is Verdict.GREEN


def test_a_failure_that_was_recorded_stands_above_a_claim() -> None:
    failed = (lived(**{SUITE: Result.FAILED}),)
    assert gate(facts(passport=CLAIM, before=failed)).verdict is Verdict.REFUSED


def test_every_missing_suite_is_named() -> None:
    stage = replace(TST, requires=("a", "b", SUITE))
    assert gate(facts(stage)).reasons == ("`a` has not passed", "`b` has not passed")


BOTH = replace(TST, after=("itg", "perf"))


def test_several_stages_before_must_all_have_had_it_live() -> None:
    before = (lived(), replace(lived("perf"), live_since=None))
    assert gate(facts(BOTH, before=before)).reasons == ("the release has not been live on perf",)


def test_a_suite_that_passed_in_one_of_several_stages_before_is_enough() -> None:
    assert gate(facts(BOTH, before=(lived(), untested("perf")))).verdict is Verdict.GREEN


def test_a_suite_that_passed_in_none_of_several_stages_before_is_waited_for() -> None:
    before = (untested(), untested("perf"))
    assert gate(facts(BOTH, before=before)).verdict is Verdict.WAITING


def test_several_stages_before_that_all_have_the_evidence_are_enough() -> None:
    assert gate(facts(BOTH, before=(lived(), lived("perf")))).verdict is Verdict.GREEN


def test_one_failure_among_several_stages_before_refuses() -> None:
    before = (lived(), lived("perf", **{SUITE: Result.FAILED}))
    assert gate(facts(BOTH, before=before)).verdict is Verdict.REFUSED


@pytest.mark.parametrize(
    "scope", [{"stage": "prod"}, {"app": "cart"}, {"release": "shop-web-1.0.0-4be1c07d2a91"}]
)
def test_a_hold_on_something_else_does_not_matter(scope: dict[str, str]) -> None:
    assert gate(facts(holds=(hold(**scope),))).verdict is Verdict.GREEN


# --- the content -------------------------------------------------------------

FILES = ("values.yaml", "values/itg.yaml", "values/tst.yaml", "values/prod.yaml")
VALUES = "".join(f"image: {image.ref}\n" for image in OURS.images).encode()
SOUND = Content(OURS, OURS.tree, (f"{PLACE}/release.yaml",), FILES, values=VALUES)


def faults(content: Content, stage: Stage = TST) -> tuple[str, ...]:
    return content_faults(OPS, stage, PLACE, content)


def test_sound_content_has_no_faults() -> None:
    assert faults(SOUND) == ()


@pytest.mark.parametrize(
    "path",
    [
        "release.yaml",
        "release/values.yaml",
        "release/chart/templates/x.yaml",
        "values-ops.yaml",
        "secrets/db.yaml",
        "secrets/deep/er.yaml",
    ],
)
def test_a_promotion_may_change_what_lies_in_its_own_directory(path: str) -> None:
    assert faults(replace(SOUND, touched=(f"{PLACE}/{path}",))) == ()


@pytest.mark.parametrize(
    "path",
    [
        "gitops-ci.yaml",
        ".gitlab-ci.yml",
        ".github/workflows/gitops.yml",
        ".gitlab/CODEOWNERS",
        "holds/x.yaml",
        "argocd/root.yaml",
        "environments/tst/sealing-cert.pem",
        "environments/tst/cart/release.yaml",
        "environments/tst/shop-web-2/release.yaml",
        "environments/prod/shop-web/release.yaml",
        "environments/prod/shop-web/values-ops.yaml",
        f"{PLACE}/Chart.yaml",
        f"{PLACE}/release",
        f"{PLACE}/secrets",
        f"{PLACE}/releases/values.yaml",
        f"{PLACE}/values-ops.yaml/x",
        f"{PLACE}/Release.yaml",
        f"x/{PLACE}/release.yaml",
    ],
)
def test_a_promotion_may_change_nothing_else(path: str) -> None:
    found = faults(replace(SOUND, touched=(f"{PLACE}/release.yaml", path)))
    assert len(found) == 1
    assert f"`{path}`" in found[0]


def test_the_tree_must_be_the_one_that_the_passport_names() -> None:
    other = oid("other")
    (found,) = faults(replace(SOUND, tree=other))
    assert OURS.tree[:12] in found
    assert other[:12] in found


def test_a_release_without_files_is_told() -> None:
    found = faults(replace(SOUND, tree=None, files=()))
    assert found[0] == "`release/` is missing"
    assert len(found) == 1 + len(FILES)


@pytest.mark.parametrize("missing", FILES)
def test_every_stage_needs_its_values_file(missing: str) -> None:
    there = tuple(path for path in FILES if path != missing)
    assert faults(replace(SOUND, files=there)) == (f"`release/{missing}` is missing",)


def with_ref(ref: str) -> Content:
    return replace(
        SOUND, passport=replace(OURS, images=(ImageRef("web", ref),)), values=ref.encode()
    )


def test_an_image_of_the_passport_that_is_not_in_the_values_is_told() -> None:
    (found,) = faults(replace(SOUND, values=b"image: other\n"))
    assert found == "image `web` of the passport is not in `release/values.yaml`"


@pytest.mark.parametrize(
    "change", [{"images": ()}, {"chart": replace(OURS.chart, version="9.9.9")}]
)
def test_a_passport_says_of_a_tested_tree_what_the_stage_before_says(change: dict) -> None:
    changed = replace(OURS, **change)
    found = gate(facts(passport=changed, before=(lived(),)))
    assert found.reasons == ("its passport is not the one that itg has",)


def test_an_image_needs_a_digest_unless_the_stage_allows_tags() -> None:
    tagged = with_ref("registry.example.com/shop/web:1")
    assert faults(tagged) == ("image `web` has no digest",)
    assert faults(tagged, replace(TST, allow_tags=True)) == ()


@pytest.mark.parametrize("ref", ["<script>", "../x", "web@sha256:1", "UPPER/x y"])
def test_an_image_that_is_no_reference_is_a_fault_and_no_error(ref: str) -> None:
    assert len(faults(with_ref(ref))) == 1


def test_faults_of_the_chart_are_told_as_they_are() -> None:
    assert faults(replace(SOUND, chart_faults=("a symbolic link",))) == ("a symbolic link",)


def test_all_faults_are_told_at_once() -> None:
    bad = Content(OURS, oid("other"), ("gitops-ci.yaml",), FILES[1:], ("holds/link",), b"image: x")
    assert len(faults(bad)) == 5
