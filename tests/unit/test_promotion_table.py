"""The table "found / do" of a promotion: one test for each row, then what holds between the rows.

`stop?` and `this release` answer with the first row that matches, `beside it` with every one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_ci import changeset, names, passports
from gitops_ci.changeset import PutFile, PutObject, Remove
from gitops_ci.config import Commits, Merge, Stage
from gitops_ci.errors import Exit
from gitops_ci.forge import MergeState, Relation
from gitops_ci.passports import By, EvidenceLine, Passport, Result
from gitops_ci.progress import Attempt, Entered, Seen, Shape
from gitops_ci.promotion import STOP, Closing, Permissions, Plan, Word, plan
from tests.support.promotions import (
    BRANCH_TIP,
    ITG,
    NEWER,
    OLDER,
    OPS,
    OURS,
    PLACE,
    SUITE,
    TIP,
    TST,
    attempt,
    branch,
    claims,
    hold,
    holding,
    lived,
    merged,
    oid,
    passport,
    request,
    rival,
    seen,
)

CLOSED = MergeState.CLOSED
BY_US = frozenset({names.LABEL, names.SUPERSEDED})
REOPEN = Permissions(reopen=True)
ACCEPT = Permissions(accept_diverged="both teams agreed")
OPS_VALUES = PutObject(f"{PLACE}/values-ops.yaml", oid("their values"), is_tree=False)


def stops(decided: Plan, word: Word, code: Exit, *said: str) -> None:
    """Nothing is written, and the outcome says why."""
    assert (decided.outcome.word, decided.outcome.code) == (word, code)
    assert all(part in decided.outcome.message for part in said), decided.outcome.message
    written = (decided.change, decided.draft, decided.adopt, decided.attempt, decided.close)
    assert written == (None, None, None, None, ())
    assert decided.notes == ()


def proposes(decided: Plan, *, number: int = 1, expect: str | None = None) -> None:
    """A new commit on the tip, its branch and its merge request."""
    assert (decided.outcome.word, decided.outcome.code) == (Word.OPENED, Exit.DONE)
    assert decided.change
    assert decided.change.branch == str(branch(number))
    assert decided.change.parent == TIP
    assert decided.change.expect == expect
    opens(decided, number=number)


def opens(decided: Plan, *, number: int = 1) -> None:
    """A merge request of the branch that is there, or that the plan makes."""
    assert decided.draft
    assert (decided.draft.source, decided.draft.target) == (str(branch(number)), "main")
    assert (decided.attempt, decided.adopt, decided.release) == (number, None, OURS.id)


def adopts(decided: Plan, mr: int, *, number: int = 1) -> None:
    """The open merge request is brought up to date, and no branch is touched."""
    assert (decided.outcome.word, decided.outcome.code) == (Word.OPEN, Exit.DONE)
    assert (decided.change, decided.adopt, decided.attempt) == (None, mr, number)
    assert decided.draft
    assert decided.draft.source == str(branch(number))


def trailers(decided: Plan) -> dict[str, str]:
    assert decided.change
    return changeset.trailers(decided.change.message)


# --- stop? -------------------------------------------------------------------


def test_the_stage_holds_this_tree_so_its_merge_commit_is_the_answer() -> None:
    there = merged(7)
    decided = plan(seen(current=OURS, attempts=(there,)))
    stops(decided, Word.UNCHANGED, Exit.DONE, OURS.id, "tst")
    assert there.request
    assert decided.merge_commit == there.request.merge_commit


def test_equal_content_is_the_same_release_under_the_id_that_the_stage_knows() -> None:
    known = passport("1.0.0-rc1", tree=OURS.tree)
    decided = plan(seen(current=known))
    stops(decided, Word.UNCHANGED, Exit.DONE, known.id)
    assert decided.passport == known
    assert decided.release == known.id


def test_what_is_there_came_with_the_newest_of_several_merges() -> None:
    decided = plan(seen(current=OURS, attempts=(merged(3), merged(8, number=2))))
    assert decided.merge_commit == oid("merge of 8")


def test_the_order_in_which_attempts_were_read_does_not_matter() -> None:
    attempts = (merged(3), merged(8, number=2))
    one, other = (plan(seen(current=OURS, attempts=each)) for each in (attempts, attempts[::-1]))
    assert one == other


def test_the_stage_holds_a_newer_release_so_nothing_goes_back_by_accident() -> None:
    decided = plan(holding(NEWER, Relation.BEHIND))
    stops(decided, Word.SUPERSEDED, Exit.DONE, NEWER.id, "tst")
    assert decided.passport == OURS


def test_an_open_merge_request_proposes_a_newer_release() -> None:
    newer = rival(9, Relation.BEHIND)
    stops(plan(seen(rivals=(newer,))), Word.SUPERSEDED, Exit.DONE, newer.release, newer.request.url)


def test_the_stage_holds_an_older_release_so_this_one_enters() -> None:
    proposes(plan(holding(OLDER, Relation.AHEAD)))


def test_a_rebuild_of_the_same_commit_is_newer_than_what_the_stage_holds() -> None:
    proposes(plan(holding(OLDER, Relation.SAME)))


def test_a_rebuild_is_older_where_its_own_merge_request_was_merged_before() -> None:
    decided = plan(holding(OLDER, Relation.SAME, attempts=(merged(3),)), REOPEN)
    stops(decided, Word.SUPERSEDED, Exit.DONE, OLDER.id)


def test_of_two_open_rebuilds_the_one_that_was_proposed_later_wins() -> None:
    ours = (attempt(5),)
    late, early = (rival(number, Relation.SAME) for number in (6, 4))
    stops(plan(seen(attempts=ours, rivals=(late,))), Word.SUPERSEDED, Exit.DONE, late.request.url)
    decided = plan(seen(attempts=ours, rivals=(early,)))
    adopts(decided, 5)
    assert [closing.number for closing in decided.close] == [4]


def test_a_rebuild_that_was_superseded_by_the_next_one_does_not_come_back() -> None:
    ours = attempt(5, CLOSED, labels=BY_US)
    late = rival(6, Relation.SAME)
    decided = plan(seen(attempts=(ours,), rivals=(late,)))
    stops(decided, Word.SUPERSEDED, Exit.DONE, late.request.url)


@pytest.mark.parametrize("relation", [Relation.DIVERGED, Relation.UNKNOWN])
def test_newer_or_older_cannot_be_told_so_both_commits_are_named(relation: Relation) -> None:
    decided = plan(holding(OLDER, relation))
    said = (OURS.source.commit, OLDER.source.commit)
    stops(decided, Word.REFUSED, Exit.REFUSED, *said)
    assert "--accept-diverged" in (decided.outcome.hint or "")


@pytest.mark.parametrize("relation", [Relation.DIVERGED, Relation.UNKNOWN])
def test_an_open_proposal_that_cannot_be_compared_stops_too(relation: Relation) -> None:
    other = rival(4, relation, keep="its branch cannot be read")
    decided = plan(seen(rivals=(other,)))
    stops(decided, Word.REFUSED, Exit.REFUSED, OURS.source.commit, other.commit)


def test_an_accepted_diverged_release_enters_and_the_reason_is_in_the_description() -> None:
    decided = plan(holding(OLDER, Relation.DIVERGED, rivals=(rival(4, Relation.DIVERGED),)), ACCEPT)
    proposes(decided)
    assert decided.draft
    assert "both teams agreed" in decided.draft.description
    assert [closing.number for closing in decided.close] == [4]


def test_accepting_a_diverged_release_never_lets_an_older_one_in() -> None:
    stops(plan(holding(NEWER, Relation.BEHIND), ACCEPT), Word.SUPERSEDED, Exit.DONE)


@pytest.mark.parametrize(
    "scope",
    [
        {"release": OURS.id},
        {"release": OURS.id, "app": "shop-web"},
        {"release": OURS.id, "app": "shop-web", "stage": "tst"},
    ],
)
def test_a_hold_on_this_release_refuses_it_with_its_reason(scope: Mapping[str, str]) -> None:
    decided = plan(seen(holds=(hold(**scope),)))
    stops(decided, Word.REFUSED, Exit.REFUSED, "wrong-prices", "jane", "prices are wrong")


@pytest.mark.parametrize(
    "scope",
    [{"release": OLDER.id}, {"release": OURS.id, "stage": "prod"}, {"app": "cart"}],
)
def test_a_hold_on_something_else_does_not_matter(scope: Mapping[str, str]) -> None:
    decided = plan(seen(holds=(hold(**scope),)))
    proposes(decided)
    assert decided.notes == ()


def test_a_required_suite_has_failed() -> None:
    failed = lived(**{SUITE: Result.FAILED})
    stops(plan(seen(before=(failed,))), Word.REFUSED, Exit.REFUSED, SUITE, OURS.id, "itg")


def test_a_required_suite_is_claimed_to_have_failed() -> None:
    decided = plan(seen(before=(untested(),), claims=claims(integration_tests=Result.FAILED)))
    stops(decided, Word.REFUSED, Exit.REFUSED, SUITE)


def test_a_suite_that_is_not_required_may_fail() -> None:
    both = lived(**{SUITE: Result.PASSED, "lint": Result.FAILED})
    proposes(plan(seen(before=(both,))))


def test_the_app_belongs_to_another_dev_project() -> None:
    decided = plan(seen(current=passport("1.0.0", project="cart/web")))
    stops(decided, Word.REFUSED, Exit.REFUSED, "cart/web", "shop/web")


def untested(stage: str = "itg") -> Entered:
    return replace(lived(stage), suites={})


def test_the_release_was_not_live_in_the_stage_before() -> None:
    waiting = replace(lived(), live_since=None)
    decided = plan(seen(before=(waiting,)))
    stops(decided, Word.WAITING, Exit.NOT_YET, OURS.id, "itg")
    assert "gitops-ci wait --stage itg" in (decided.outcome.hint or "")


def test_evidence_is_still_missing() -> None:
    decided = plan(seen(before=(untested(),)))
    stops(decided, Word.WAITING, Exit.NOT_YET, SUITE, OURS.id, "itg")
    assert f"--suite {SUITE}=passed" in (decided.outcome.hint or "")


def test_a_claim_is_evidence_enough_to_open() -> None:
    proposes(plan(seen(before=(untested(),), claims=claims(integration_tests=Result.PASSED))))


def test_a_final_failure_stands_above_a_claim() -> None:
    failed = lived(**{SUITE: Result.FAILED})
    decided = plan(seen(before=(failed,), claims=claims(integration_tests=Result.PASSED)))
    stops(decided, Word.REFUSED, Exit.REFUSED, SUITE)


def test_a_final_pass_stands_above_a_claim() -> None:
    proposes(plan(seen(claims=claims(integration_tests=Result.FAILED))))


def test_every_one_of_several_stages_before_must_have_had_it_live() -> None:
    stage = replace(TST, after=("itg", "perf"))
    waiting = replace(lived("perf"), live_since=None)
    decided = plan(seen(stage, before=(lived(), waiting)))
    stops(decided, Word.WAITING, Exit.NOT_YET, "perf")


def test_a_suite_that_passed_in_one_of_several_stages_before_is_enough() -> None:
    stage = replace(TST, after=("itg", "perf"))
    decided = plan(seen(stage, before=(lived(), untested("perf"))))
    assert decided.outcome.word is Word.OPENED


def test_a_claim_does_not_count_where_it_could_mean_several_stages() -> None:
    stage = replace(TST, after=("itg", "perf"))
    decided = plan(
        seen(
            stage,
            before=(untested(), untested("perf")),
            claims=claims(integration_tests=Result.PASSED),
        )
    )
    stops(decided, Word.WAITING, Exit.NOT_YET, SUITE)


def test_the_first_stage_needs_no_history() -> None:
    decided = plan(seen(ITG, files={"values.yaml": b"{}\n"}))
    assert decided.outcome.word is Word.OPENED
    assert decided.change
    assert decided.change.branch == f"promote/itg/shop-web/{OURS.id}"


# --- this release ------------------------------------------------------------


def test_merged_and_held_no_more_is_a_revert() -> None:
    decided = plan(holding(OLDER, Relation.AHEAD, attempts=(merged(3),)))
    stops(decided, Word.REVERTED, Exit.NOT_YET, OURS.id, OLDER.id, "/3")
    assert "--reopen" in (decided.outcome.hint or "")


def test_merged_and_the_application_is_gone_from_the_stage_is_a_revert_too() -> None:
    stops(plan(seen(attempts=(merged(3),))), Word.REVERTED, Exit.NOT_YET, OURS.id)


def test_a_reverted_release_that_is_reopened_gets_the_next_attempt() -> None:
    decided = plan(holding(OLDER, Relation.AHEAD, attempts=(merged(3),)), REOPEN)
    proposes(decided, number=2)
    assert trailers(decided)["Gitops-Attempt"] == "2"
    assert decided.close == ()


@pytest.mark.parametrize(("who", "said"), [("anna", "by anna"), (None, "by somebody")])
def test_closed_by_a_human_is_respected(who: str | None, said: str) -> None:
    decided = plan(seen(attempts=(attempt(3, CLOSED, closed_by=who),)))
    stops(decided, Word.DECLINED, Exit.NOT_YET, said, "/3")
    assert "--reopen" in (decided.outcome.hint or "")


def test_a_declined_release_that_is_reopened_gets_the_next_attempt() -> None:
    proposes(plan(seen(attempts=(attempt(3, CLOSED),)), REOPEN), number=2)


def test_reopening_does_nothing_where_nothing_was_declined() -> None:
    case = seen(attempts=(attempt(3),))
    assert plan(case, REOPEN) == plan(case)


@pytest.mark.parametrize("mr", [3, None])
def test_a_branch_that_is_not_ours_is_left_and_reported(mr: int | None) -> None:
    decided = plan(seen(attempts=(attempt(mr, shape=Shape.FOREIGN),)))
    stops(decided, Word.FOREIGN, Exit.NOT_YET, str(branch()))
    assert decided.outcome.hint


def test_an_open_merge_request_that_somebody_aimed_elsewhere_is_left_and_reported() -> None:
    decided = plan(seen(attempts=(attempt(3, target="next"),)))
    stops(decided, Word.FOREIGN, Exit.NOT_YET, "`next`", "`main`")


def test_open_and_the_stage_has_changed_since_is_reapplied_and_the_old_one_closed() -> None:
    decided = plan(seen(attempts=(attempt(3, fresh=False),)))
    proposes(decided, number=2)
    assert trailers(decided)["Gitops-Attempt"] == "2"
    assert [closing.number for closing in decided.close] == [3]
    assert "changed" in decided.close[0].why


def test_open_and_its_branch_is_gone_is_proposed_again() -> None:
    decided = plan(seen(attempts=(attempt(3, tip=None),)))
    proposes(decided, number=2)
    assert [closing.number for closing in decided.close] == [3]


@pytest.mark.parametrize("found", [attempt(3, tip=None), attempt(3, tip=None, fresh=False)])
def test_a_closing_does_not_blame_the_stage_where_the_branch_is_gone(found: Attempt) -> None:
    (closing,) = plan(seen(attempts=(found,))).close
    assert "stage has changed" not in closing.why


def test_a_reapplication_carries_the_welcome_edits_of_people() -> None:
    gone = Remove(f"{PLACE}/secrets/old.yaml")
    stale = attempt(3, fresh=False, shape=Shape.WELCOME, carried=(OPS_VALUES, gone))
    decided = plan(seen(attempts=(stale,)))
    proposes(decided, number=2)
    assert decided.change
    assert decided.change.edits[-2:] == (OPS_VALUES, gone)


def test_an_open_merge_request_is_adopted_and_brought_up_to_date() -> None:
    decided = plan(seen(attempts=(attempt(3),)))
    adopts(decided, 3)
    assert decided.draft
    assert decided.draft.title == "Promote shop-web 2.1.0 to tst"
    assert decided.draft.labels == {"gitops-ci", "gitops-pending", "stage:tst", "app:shop-web"}


def test_welcome_commits_of_people_do_not_stop_an_adoption() -> None:
    adopts(plan(seen(attempts=(attempt(3, shape=Shape.WELCOME, carried=(OPS_VALUES,)),))), 3)


def test_closed_by_us_is_proposed_again_once_nothing_newer_is_there() -> None:
    decided = plan(seen(attempts=(attempt(3, CLOSED, labels=BY_US),)))
    proposes(decided, number=2)


def test_no_merge_request_and_no_branch_is_a_first_attempt() -> None:
    decided = plan(seen())
    proposes(decided)
    assert "Gitops-Attempt" not in trailers(decided)


def test_no_merge_request_and_a_current_branch_of_ours_only_opens() -> None:
    decided = plan(seen(attempts=(attempt(),)))
    assert decided.outcome.word is Word.OPENED
    assert decided.change is None
    opens(decided)


def test_no_merge_request_and_an_outdated_branch_of_ours_is_rebuilt_on_the_tip() -> None:
    decided = plan(seen(attempts=(attempt(fresh=False),)))
    proposes(decided, expect=BRANCH_TIP)


def test_a_second_attempt_is_rebuilt_as_the_second_attempt() -> None:
    before = attempt(3, CLOSED, labels=BY_US)
    decided = plan(seen(attempts=(before, attempt(number=2, fresh=False))))
    proposes(decided, number=2, expect=BRANCH_TIP)
    assert trailers(decided)["Gitops-Attempt"] == "2"


def test_a_rebuild_carries_the_welcome_edits_of_people() -> None:
    stale = attempt(fresh=False, shape=Shape.WELCOME, carried=(OPS_VALUES,))
    decided = plan(seen(attempts=(stale,)))
    proposes(decided, expect=BRANCH_TIP)
    assert decided.change
    assert OPS_VALUES in decided.change.edits


# --- attempts ----------------------------------------------------------------


def test_the_highest_attempt_answers() -> None:
    adopts(plan(seen(attempts=(attempt(3, CLOSED), attempt(4, number=2)))), 4, number=2)
    declined = (attempt(3, CLOSED, labels=BY_US), attempt(4, CLOSED, number=2))
    stops(plan(seen(attempts=declined)), Word.DECLINED, Exit.NOT_YET, "/4")


def test_the_highest_attempt_answers_in_whatever_order_they_were_read() -> None:
    attempts = (attempt(5, number=10), attempt(3, CLOSED), attempt(4, CLOSED, number=9))
    adopts(plan(seen(attempts=attempts)), 5, number=10)


@pytest.mark.parametrize("number", [2, 3, 9, 10])
def test_the_next_attempt_counts_on_from_the_highest(number: int) -> None:
    before = (attempt(1, CLOSED), attempt(2, CLOSED, number=number))
    decided = plan(seen(attempts=before), REOPEN)
    proposes(decided, number=number + 1)
    assert trailers(decided)["Gitops-Attempt"] == str(number + 1)
    assert decided.change
    assert decided.change.branch.endswith(f"-r{number + 1}")


@pytest.mark.parametrize("second", [attempt(4, number=2), attempt(number=2)])
def test_a_reapplication_that_was_killed_half_way_still_closes_the_old_one(second: Attempt) -> None:
    decided = plan(seen(attempts=(attempt(3, fresh=False), second)))
    assert decided.attempt == 2
    assert [closing.number for closing in decided.close] == [3]


# --- beside it ---------------------------------------------------------------


def test_an_open_merge_request_of_an_older_release_is_closed_after_the_new_one() -> None:
    decided = plan(seen(rivals=(rival(4, Relation.AHEAD),)))
    proposes(decided)
    assert decided.close == (Closing(4, "a newer release is proposed"),)
    assert decided.notes == ()


def test_an_older_release_is_closed_by_an_adoption_too() -> None:
    decided = plan(seen(attempts=(attempt(5),), rivals=(rival(4, Relation.AHEAD),)))
    adopts(decided, 5)
    assert [closing.number for closing in decided.close] == [4]


@pytest.mark.parametrize("why", ["it is approved", "it holds commits of people"])
def test_an_older_release_that_people_care_for_stays_open(why: str) -> None:
    kept = rival(4, Relation.AHEAD, keep=why)
    decided = plan(seen(rivals=(kept,)))
    proposes(decided)
    assert decided.close == ()
    assert decided.notes == (f"{kept.request.url} stays open: {why}",)


def test_an_earlier_rebuild_of_the_same_commit_is_closed() -> None:
    decided = plan(seen(rivals=(rival(4, Relation.SAME),)))
    proposes(decided)
    assert [closing.number for closing in decided.close] == [4]


@pytest.mark.parametrize(
    "scope", [{"app": "shop-web"}, {"stage": "tst"}, {"app": "shop-web", "stage": "tst"}]
)
def test_a_hold_on_app_or_stage_lets_the_merge_request_open(scope: Mapping[str, str]) -> None:
    decided = plan(seen(holds=(hold(**scope),)))
    proposes(decided)
    assert decided.notes == ("hold `wrong-prices` of jane: prices are wrong",)


def test_a_stage_that_wants_approvals_lets_the_merge_request_open() -> None:
    proposes(plan(seen(replace(TST, approvals=5))))


def test_everything_beside_it_is_answered_at_once() -> None:
    beside = (
        rival(2, Relation.AHEAD),
        rival(3, Relation.AHEAD, of=passport("1.9.0"), keep="it is approved"),
        rival(4, Relation.SAME, of=passport("2.1.0-b2")),
    )
    decided = plan(
        seen(
            attempts=(attempt(9, fresh=False),),
            rivals=beside,
            holds=(hold(stage="tst"), hold(app="shop-web")),
        )
    )
    proposes(decided, number=2)
    assert [closing.number for closing in decided.close] == [9, 2, 4]
    assert len(decided.notes) == 3


# --- which row comes first ---------------------------------------------------

STOPS: tuple[tuple[Word, dict[str, Any]], ...] = (
    (Word.UNCHANGED, {"current": OURS}),
    (Word.SUPERSEDED, {"rivals": (rival(9, Relation.BEHIND),)}),
    (Word.REFUSED, {"rivals": (rival(8, Relation.DIVERGED),)}),
    (Word.REFUSED, {"holds": (hold(release=OURS.id),)}),
    (Word.WAITING, {"before": (untested(),)}),
)
THIS: tuple[tuple[Word, Attempt], ...] = (
    (Word.REVERTED, merged(3)),
    (Word.DECLINED, attempt(3, CLOSED, shape=Shape.FOREIGN)),
    (Word.FOREIGN, attempt(3, shape=Shape.FOREIGN, fresh=False)),
    (Word.OPENED, attempt(3, fresh=False)),
    (Word.OPEN, attempt(3)),
    (Word.OPENED, attempt(3, CLOSED, labels=BY_US)),
    (Word.OPENED, attempt()),
)


def together(*parts: dict[str, Any]) -> Seen:
    """A world in which all of this was found."""
    found: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            found[key] = found[key] + value if key == "rivals" and key in found else value
    return seen(**found)


@pytest.mark.parametrize(("first", "second"), tuple(combinations(STOPS, 2)))
def test_of_two_stops_the_one_higher_in_the_table_answers(
    first: tuple[Word, dict[str, Any]], second: tuple[Word, dict[str, Any]]
) -> None:
    one, both = plan(together(first[1])), plan(together(second[1], first[1]))
    assert both.outcome == one.outcome
    assert both.outcome.word is first[0]


@pytest.mark.parametrize(("stop", "found"), [(s, t) for s in STOPS for t in THIS])
def test_a_stop_comes_before_whatever_there_is_of_this_release(
    stop: tuple[Word, dict[str, Any]], found: tuple[Word, Attempt]
) -> None:
    decided = plan(together(stop[1], {"attempts": (found[1],)}), REOPEN)
    stops(decided, stop[0], decided.outcome.code)


@pytest.mark.parametrize(("word", "found"), THIS)
def test_rows_of_this_release_answer_alone(word: Word, found: Attempt) -> None:
    assert plan(seen(attempts=(found,))).outcome.word is word


@pytest.mark.parametrize(
    ("word", "found"),
    [
        (Word.REVERTED, replace(merged(3), tip=BRANCH_TIP, shape=Shape.FOREIGN)),
        (Word.DECLINED, attempt(3, CLOSED, fresh=False)),
        (Word.FOREIGN, attempt(3, shape=Shape.FOREIGN)),
        (Word.FOREIGN, attempt(3, CLOSED, labels=BY_US, shape=Shape.FOREIGN)),
        (Word.FOREIGN, attempt(shape=Shape.FOREIGN, fresh=False)),
        (Word.FOREIGN, attempt(3, tip=None, target="next")),
    ],
)
def test_of_two_rows_of_this_release_the_higher_one_answers(word: Word, found: Attempt) -> None:
    decided = plan(seen(attempts=(found,)))
    stops(decided, word, Exit.NOT_YET)


def test_a_hold_on_the_app_does_not_hide_one_on_the_release() -> None:
    decided = plan(seen(holds=(hold(app="shop-web"), hold(release=OURS.id))))
    stops(decided, Word.REFUSED, Exit.REFUSED)


def test_the_wrong_project_is_told_before_a_hold_and_a_hold_before_a_failure() -> None:
    failed = (lived(**{SUITE: Result.FAILED}),)
    held = (hold(release=OURS.id),)
    stranger = passport("1.0.0", project="cart/web")
    assert "belongs" in plan(seen(current=stranger, holds=held, before=failed)).outcome.message
    assert "hold" in plan(seen(holds=held, before=failed)).outcome.message


# --- what is written ---------------------------------------------------------


def test_a_later_stage_places_the_tree_that_was_tested_and_the_passport() -> None:
    decided = plan(seen())
    assert decided.change
    tree, text = decided.change.edits
    assert tree == PutObject(f"{PLACE}/release", OURS.tree, is_tree=True)
    assert isinstance(text, PutFile)
    assert text.path == f"{PLACE}/release.yaml"
    assert passports.parse(text.content, source="release.yaml") == decided.passport


def test_the_first_stage_writes_the_files_in_place_of_what_was_there() -> None:
    files = {"values.yaml": b"{}\n", "chart/Chart.yaml": b"name: web\n"}
    decided = plan(seen(ITG, files=files))
    assert decided.change
    place = "environments/itg/shop-web"
    assert decided.change.edits[:3] == (
        Remove(f"{place}/release"),
        PutFile(f"{place}/release/chart/Chart.yaml", b"name: web\n"),
        PutFile(f"{place}/release/values.yaml", b"{}\n"),
    )
    assert decided.change.edits[3].path == f"{place}/release.yaml"


def test_the_commit_carries_its_facts_as_trailers() -> None:
    decided = plan(seen())
    assert trailers(decided) == {
        "Gitops-Release": OURS.id,
        "Gitops-Stage": "tst",
        "Source-Commit": OURS.source.commit,
        "Argocd-reference-commit-sha": OURS.source.commit,
    }
    assert decided.change
    assert decided.change.message.splitlines()[0] == "Promote shop-web 2.1.0 to tst"


def test_author_and_message_prefix_are_the_organisations() -> None:
    commits = Commits("Deploy Bot", "deploy@example.com", "[ops] feat: ")
    decided = plan(seen(ops=replace(OPS, commits=commits)))
    assert decided.change
    assert decided.change.author == "Deploy Bot <deploy@example.com>"
    assert decided.change.message.startswith("[ops] feat: Promote shop-web 2.1.0 to tst\n\n")
    assert trailers(decided)["Gitops-Release"] == OURS.id


def test_a_merge_request_is_born_with_the_label_that_makes_it_work_to_do() -> None:
    decided = plan(seen())
    assert decided.draft
    assert decided.draft.labels == {"gitops-ci", "gitops-pending", "stage:tst", "app:shop-web"}
    assert decided.draft.title == "Promote shop-web 2.1.0 to tst"


# --- the passport ------------------------------------------------------------


def line(by: By, stage: str = "itg") -> EvidenceLine:
    return EvidenceLine(stage, SUITE, Result.PASSED, by)


def test_a_final_status_is_stamped_as_a_fact() -> None:
    assert plan(seen()).passport.evidence == (line(By.VERIFIED),)


def test_a_claim_is_stamped_as_a_claim() -> None:
    decided = plan(seen(before=(untested(),), claims=claims(integration_tests=Result.PASSED)))
    assert decided.passport.evidence == (line(By.CLAIMED),)


def test_the_evidence_of_the_stages_before_is_kept() -> None:
    earlier = EvidenceLine("dev", "smoke", Result.PASSED, By.CLAIMED)
    decided = plan(seen(passport=replace(OURS, evidence=(earlier,))))
    assert decided.passport.evidence == (earlier, line(By.VERIFIED))


@pytest.mark.parametrize("mr", [3, None])
def test_the_passport_of_a_branch_that_is_there_is_frozen(mr: int | None) -> None:
    frozen = OURS.with_evidence([line(By.CLAIMED)])
    decided = plan(seen(attempts=(attempt(mr, holds=frozen),)))
    assert decided.passport == frozen
    assert decided.draft
    assert SUITE in decided.draft.description


@pytest.mark.parametrize("found", [attempt(3, fresh=False), attempt(fresh=False)])
def test_a_new_commit_gets_a_new_passport(found: Attempt) -> None:
    old = replace(found, passport=OURS.with_evidence([line(By.CLAIMED)]))
    assert plan(seen(attempts=(old,))).passport.evidence == (line(By.VERIFIED),)


# --- whatever is found -------------------------------------------------------

RESULTS = st.sampled_from([*Result, None])
STAGES = (ITG, TST, replace(TST, after=("itg", "perf")), Stage("prod", merge=Merge.MANUAL))
PASSPORTS = (
    OURS,
    OLDER,
    NEWER,
    passport("2.1.0", tree=oid("rebuild")),
    passport("2.0.1", project="x/y"),
)
HOLDS = (hold(release=OURS.id), hold(app="shop-web"), hold(stage="tst"), hold(stage="prod"))


@st.composite
def tries(draw: st.DrawFn, number: int) -> Attempt:
    state = draw(st.sampled_from([*MergeState, None]))
    labels = draw(st.sampled_from([BY_US, frozenset({names.LABEL})]))
    target = draw(st.sampled_from(["main", "main", "main", "next"]))
    return attempt(
        number if state else None,
        state or MergeState.OPEN,
        number=number,
        tip=draw(st.sampled_from([BRANCH_TIP, None])) if state else BRANCH_TIP,
        shape=draw(st.sampled_from(Shape)),
        fresh=draw(st.booleans()),
        carried=draw(st.sampled_from([(), (OPS_VALUES,)])),
        **({"labels": labels, "target": target} if state else {}),
    )


@st.composite
def worlds(draw: st.DrawFn) -> Seen:
    stage = draw(st.sampled_from(STAGES))
    numbers = draw(st.lists(st.integers(1, 40), unique=True, max_size=3))
    before = [
        Entered(
            name,
            draw(st.sampled_from([OURS, None])),
            oid(name),
            draw(st.sampled_from([lived().live_since, None])),
            {SUITE: result} if (result := draw(RESULTS)) else {},
        )
        for name in stage.after
    ]
    rivals = draw(
        st.lists(
            st.builds(
                rival,
                st.integers(50, 60),
                st.sampled_from(Relation),
                keep=st.sampled_from([None, "it is approved"]),
            ),
            max_size=3,
            unique_by=lambda each: each.request.number,
        )
    )
    claimed = draw(RESULTS)
    return seen(
        stage,
        current=draw(st.sampled_from([None, *PASSPORTS])),
        relation=draw(st.sampled_from([None, *Relation])),
        attempts=tuple(draw(tries(number)) for number in numbers),
        rivals=tuple(rivals),
        before=tuple(before),
        holds=tuple(draw(st.lists(st.sampled_from(HOLDS), max_size=2, unique=True))),
        claims={SUITE: claimed} if claimed else {},
        files=draw(st.sampled_from([None, {"values.yaml": b"{}\n"}])),
    )


PERMISSIONS = st.builds(Permissions, st.booleans(), st.sampled_from([None, "agreed"]))
MANY = settings(max_examples=100, deadline=None, derandomize=True, database=None)


@MANY
@given(world=worlds(), permissions=PERMISSIONS)
def test_a_plan_is_always_made_and_hangs_together(world: Seen, permissions: Permissions) -> None:
    decided = plan(world, permissions)
    writes = decided.draft is not None
    assert writes == (decided.outcome.word in {Word.OPENED, Word.OPEN})
    assert writes or not (decided.change or decided.close or decided.adopt or decided.notes)
    assert (decided.adopt is not None) == (decided.outcome.word is Word.OPEN)
    assert not (decided.change and decided.adopt)
    assert decided.outcome.code in {Exit.DONE, Exit.NOT_YET, Exit.REFUSED}


@MANY
@given(world=worlds(), permissions=PERMISSIONS)
def test_planning_twice_gives_the_same_plan(world: Seen, permissions: Permissions) -> None:
    assert plan(world, permissions) == plan(world, permissions)


@MANY
@given(world=worlds(), permissions=PERMISSIONS)
def test_nothing_is_ever_proposed_where_a_stop_rule_matches(
    world: Seen, permissions: Permissions
) -> None:
    answers = [answer for rule in STOP if (answer := rule(world, permissions))]
    decided = plan(world, permissions)
    if answers:
        stops(decided, answers[0].word, answers[0].code)
    else:
        assert decided.outcome.word not in {Word.UNCHANGED, Word.SUPERSEDED, Word.REFUSED}


@MANY
@given(world=worlds(), permissions=PERMISSIONS)
def test_a_branch_with_a_merge_request_is_never_written(
    world: Seen, permissions: Permissions
) -> None:
    change = plan(world, permissions).change
    if change is None:
        return
    assert change.branch not in {a.request.source for a in world.attempts if a.request}
    same = next((a for a in world.attempts if str(a.branch) == change.branch), None)
    assert change.expect == (same.tip if same else None)
    assert same is None or same.shape is not Shape.FOREIGN


@MANY
@given(world=worlds(), permissions=PERMISSIONS)
def test_what_is_newer_or_cared_for_is_never_closed(world: Seen, permissions: Permissions) -> None:
    closed = {closing.number for closing in plan(world, permissions).close}
    spared = {r.request.number for r in world.rivals if r.keep or r.relation is Relation.BEHIND}
    assert not closed & spared
    known = {r.request.number for r in world.rivals}
    known |= {a.request.number for a in world.attempts if a.is_open and a.request}
    assert closed <= known


@MANY
@given(world=worlds(), permissions=PERMISSIONS)
def test_the_trailers_of_every_commit_can_be_read_back(
    world: Seen, permissions: Permissions
) -> None:
    decided = plan(world, permissions)
    if decided.change is None:
        return
    found = changeset.trailers(decided.change.message)
    assert found["Gitops-Release"] == OURS.id
    assert found["Gitops-Stage"] == world.stage.name
    assert int(found.get("Gitops-Attempt", "1")) == decided.attempt


def test_a_subject_alone_has_no_trailers() -> None:
    assert changeset.trailers("Add a thing\n") == {}


@pytest.mark.parametrize("subject", ["Gitops-Release: x", "fix: a thing\n"])
def test_a_subject_is_never_a_trailer(subject: str) -> None:
    assert changeset.trailers(subject) == {}


def test_passports_and_requests_of_the_builder_are_what_they_say() -> None:
    assert isinstance(OURS, Passport)
    assert passports.parse(passports.dump(OURS), source="x") == OURS
    assert names.parse_branch(request(1).source) == branch()
