"""The plan: what has to be done so that one release enters one stage, or why nothing is.

Pure. The rules below are the table of the design, row by row and in its order; the first rule of a
group that answers decides. Carrying a plan out is another module's work (`propose`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from gitops_ci import layout, names, passports, review
from gitops_ci.changeset import ACCEPTED, Changeset, Edit, PutFile, PutObject, Remove, message
from gitops_ci.errors import Exit
from gitops_ci.forge import Draft, Relation
from gitops_ci.passports import By, EvidenceLine, Passport, Result
from gitops_ci.progress import Attempt, Entered, Rival, Seen, Shape


class Word(StrEnum):
    """The outcome of a promotion in one word; job outputs carry it."""

    OPENED = "opened"
    OPEN = "open"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    WAITING = "waiting"
    DECLINED = "declined"
    REVERTED = "reverted"
    FOREIGN = "foreign"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: a word, an exit code, a sentence, and what to do next."""

    word: Word
    code: Exit
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Closing:
    """A merge request that is closed once the new one exists."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that will be written, in the order in which it will be."""

    stage: str
    app: str
    passport: Passport
    outcome: Outcome
    attempt: int | None = None
    change: Changeset | None = None
    draft: Draft | None = None
    adopt: int | None = None  # bring this merge request up to date instead of opening one
    close: tuple[Closing, ...] = ()
    notes: tuple[str, ...] = ()
    merge_commit: str | None = None

    @property
    def release(self) -> str:
        return self.passport.id


@dataclass(frozen=True, slots=True)
class Permissions:
    """What the person who runs the command has decided."""

    reopen: bool = False
    accept_diverged: str | None = None  # the reason


NO_PERMISSIONS = Permissions()


def plan(seen: Seen, permissions: Permissions = NO_PERMISSIONS) -> Plan:
    """Decide. `seen` must be complete; nothing else is looked at."""
    for rule in STOP:
        outcome = rule(seen, permissions)
        if outcome:
            return _nothing(seen, outcome)
    last = seen.last
    if last is None:
        return _enter(seen, attempt=1, permissions=permissions)
    return next(filter(None, (rule(seen, last, permissions) for rule in THIS_RELEASE)))


# --- stop? -------------------------------------------------------------------


def _holds_this_tree(seen: Seen, _: Permissions) -> Outcome | None:
    if seen.current is None or seen.current.tree != seen.passport.tree:
        return None
    said = f"{seen.stage.name} holds `{seen.current.id}` already"
    return Outcome(Word.UNCHANGED, Exit.DONE, said)


def _newer_is_there(seen: Seen, _: Permissions) -> Outcome | None:
    merged_before = seen.relation is Relation.SAME and seen.merged is not None
    if seen.current and (seen.relation is Relation.BEHIND or merged_before):
        said = f"{seen.stage.name} holds the newer `{seen.current.id}`"
        return Outcome(Word.SUPERSEDED, Exit.DONE, said)
    newer = next((rival for rival in seen.rivals if _is_newer(rival, seen)), None)
    if newer:
        said = f"the newer `{newer.release}` is on its way into {seen.stage.name}"
        return Outcome(Word.SUPERSEDED, Exit.DONE, f"{said}: {newer.request.url}")
    return None


def _is_newer(rival: Rival, seen: Seen) -> bool:
    """Of two releases of one commit, the one that was proposed later is the newer."""
    if rival.relation is not Relation.SAME:
        return rival.relation is Relation.BEHIND
    ours = [attempt.request.number for attempt in seen.attempts if attempt.request]
    return bool(ours) and rival.request.number > max(ours)


def _order_is_unclear(seen: Seen, permissions: Permissions) -> Outcome | None:
    if _accepted(seen, permissions):
        return None
    unclear = {Relation.DIVERGED, Relation.UNKNOWN}
    others = [seen.current.source.commit] if seen.current and seen.relation in unclear else []
    others += [rival.commit for rival in seen.rivals if rival.relation in unclear]
    if not others:
        return None
    return Outcome(
        Word.REFUSED,
        Exit.REFUSED,
        f"it cannot be told which is newer: `{seen.passport.source.commit}` or `{others[0]}`",
        "if this release shall win, pass `--accept-diverged REASON`",
    )


def _accepted(seen: Seen, permissions: Permissions) -> str | None:
    """Why an unclear order is accepted: said now, or in the proposal while its view holds."""
    last = seen.last
    proposed = last.accepted if last and last.is_open and last.fresh else None
    return permissions.accept_diverged or proposed


def _forbidden(seen: Seen, _: Permissions) -> Outcome | None:
    project = seen.passport.source.project
    if seen.current and seen.current.source.project != project:
        return Outcome(
            Word.REFUSED,
            Exit.REFUSED,
            f"`{seen.passport.app}` belongs to `{seen.current.source.project}`, not to `{project}`",
            "choose another name, or let the platform team move the application",
        )
    hold = next((hold for hold in seen.holds if hold.release and _stops(seen, hold.stops)), None)
    if hold:
        said = f"hold `{hold.name}` of {hold.owner} stops this release: {hold.reason}"
        return Outcome(Word.REFUSED, Exit.REFUSED, said, f"ask {hold.owner} to lift it")
    failed = next(
        (suite for suite in seen.stage.requires if suite_result(seen, suite) is Result.FAILED), None
    )
    if failed:
        said = f"`{failed}` failed for `{seen.passport.id}` on {_stages(seen.before)}"
        return Outcome(Word.REFUSED, Exit.REFUSED, said, "mend it and promote the next release")
    return None


def _stops(seen: Seen, stops: Callable[..., bool]) -> bool:
    return stops(app=seen.passport.app, stage=seen.stage.name, release=seen.passport.id)


def _not_ready(seen: Seen, _: Permissions) -> Outcome | None:
    for entered in seen.before:
        if entered.live_since is None:
            said = f"`{seen.passport.id}` has not been live on {entered.stage}"
            hint = f"`gitops-ci wait --stage {entered.stage}` tells what it waits for"
            return Outcome(Word.WAITING, Exit.NOT_YET, said, hint)
    missing = next(
        (suite for suite in seen.stage.requires if suite_result(seen, suite) is None), None
    )
    if missing:
        said = f"`{missing}` has not passed for `{seen.passport.id}` on {_stages(seen.before)}"
        hint = (
            f"run it, then `gitops-ci promote --stage {seen.stage.name} --suite {missing}=passed`"
        )
        return Outcome(Word.WAITING, Exit.NOT_YET, said, hint)
    return None


StopRule = Callable[[Seen, Permissions], Outcome | None]
STOP: tuple[StopRule, ...] = (
    _holds_this_tree,
    _newer_is_there,
    _order_is_unclear,
    _forbidden,
    _not_ready,
)


# --- this release ------------------------------------------------------------


def _was_reverted(seen: Seen, last: Attempt, permissions: Permissions) -> Plan | None:
    if not last.is_merged or last.request is None:
        return None
    if permissions.reopen:
        return _enter(seen, attempt=last.branch.attempt + 1, permissions=permissions)
    holds = f"it holds `{seen.current.id}` now" if seen.current else "it is gone from there"
    entered = f"`{seen.passport.id}` entered {seen.stage.name} with {last.request.url}"
    said = f"{entered} and was reverted: {holds}"
    return _nothing(seen, Outcome(Word.REVERTED, Exit.NOT_YET, said, _REOPEN))


def _was_declined(seen: Seen, last: Attempt, permissions: Permissions) -> Plan | None:
    if not last.is_declined or last.request is None:
        return None
    if permissions.reopen:
        return _enter(seen, attempt=last.branch.attempt + 1, permissions=permissions)
    who = f"by {last.request.closed_by}" if last.request.closed_by else "by somebody"
    said = f"{last.request.url} was declined {who}"
    return _nothing(seen, Outcome(Word.DECLINED, Exit.NOT_YET, said, _REOPEN))


_REOPEN = "`--reopen` proposes it again"


def _is_foreign(seen: Seen, last: Attempt, _: Permissions) -> Plan | None:
    target = last.request.target if last.is_open and last.request else seen.target
    if target != seen.target:
        said = f"somebody aimed {last.branch} at `{target}` instead of `{seen.target}`"
    elif last.tip and last.shape is Shape.FOREIGN:
        said = f"branch `{last.branch}` holds commits that are not ours"
    else:
        return None
    hint = "finish it by hand, or close its merge request and delete the branch"
    return _nothing(seen, Outcome(Word.FOREIGN, Exit.NOT_YET, said, hint))


def _clashes(seen: Seen, last: Attempt, _: Permissions) -> Plan | None:
    if last.is_merged or last.fresh or not last.clashes:
        return None
    said = f"`{last.clashes[0]}` was changed on `{last.branch}` and on `{seen.target}`"
    hint = "bring both changes together on the branch, or close its merge request"
    return _nothing(seen, Outcome(Word.FOREIGN, Exit.NOT_YET, said, hint))


def _is_stale(seen: Seen, last: Attempt, permissions: Permissions) -> Plan | None:
    if not last.is_open or last.request is None or (last.tip and last.fresh):
        return None
    return _enter(
        seen, attempt=last.branch.attempt + 1, permissions=permissions, carried=last.carried
    )


def _is_open(seen: Seen, last: Attempt, permissions: Permissions) -> Plan | None:
    if not last.is_open or last.request is None:
        return None
    said = f"{last.request.url} is open"
    return _proposal(
        seen,
        last.passport or seen.passport,
        last.branch,
        permissions,
        Outcome(Word.OPEN, Exit.DONE, said),
        adopt=last.request.number,
    )


def _was_superseded(seen: Seen, last: Attempt, permissions: Permissions) -> Plan | None:
    if last.request is None:
        return None
    return _enter(seen, attempt=last.branch.attempt + 1, permissions=permissions)


def _has_a_branch(seen: Seen, last: Attempt, permissions: Permissions) -> Plan | None:
    if last.tip and last.fresh:
        said = _opened(seen)
        return _proposal(seen, last.passport or seen.passport, last.branch, permissions, said)
    return _enter(
        seen,
        attempt=last.branch.attempt,
        permissions=permissions,
        carried=last.carried,
        expect=last.tip,
    )


ReleaseRule = Callable[[Seen, Attempt, Permissions], Plan | None]
THIS_RELEASE: tuple[ReleaseRule, ...] = (
    _was_reverted,
    _was_declined,
    _is_foreign,
    _clashes,
    _is_stale,
    _is_open,
    _was_superseded,
    _has_a_branch,
)


# --- making plans ------------------------------------------------------------


def _nothing(seen: Seen, outcome: Outcome) -> Plan:
    merged = seen.merged.merge_commit if seen.merged and outcome.word is Word.UNCHANGED else None
    passport = seen.current if seen.current and outcome.word is Word.UNCHANGED else seen.passport
    return Plan(seen.stage.name, seen.passport.app, passport, outcome, merge_commit=merged)


def _opened(seen: Seen) -> Outcome:
    return Outcome(
        Word.OPENED, Exit.DONE, f"`{seen.passport.id}` is proposed for {seen.stage.name}"
    )


def _enter(
    seen: Seen,
    *,
    attempt: int,
    permissions: Permissions,
    carried: tuple[Edit, ...] = (),
    expect: str | None = None,
) -> Plan:
    """A new commit, its branch and its merge request."""
    branch = names.PromotionBranch(seen.stage.name, seen.passport.app, seen.passport.id, attempt)
    passport = stamped(seen)
    change = Changeset(
        branch=str(branch),
        parent=seen.tip,
        edits=(*_edits(seen, passport), *carried),
        message=_message(seen, passport, attempt, _accepted(seen, permissions)),
        author=f"{seen.ops.commits.name} <{seen.ops.commits.email}>",
        expect=expect,
    )
    return _proposal(seen, passport, branch, permissions, _opened(seen), change=change)


def _proposal(
    seen: Seen,
    passport: Passport,
    branch: names.PromotionBranch,
    permissions: Permissions,
    outcome: Outcome,
    *,
    change: Changeset | None = None,
    adopt: int | None = None,
) -> Plan:
    draft = Draft(
        source=str(branch),
        target=seen.target,
        title=review.title(passport, seen.stage.name),
        description=review.description(seen, passport, accepted=_accepted(seen, permissions)),
        labels=names.labels(seen.stage.name, passport.app) | {names.LABEL, names.PENDING},
    )
    older = [rival for rival in seen.rivals if rival.relation is not Relation.BEHIND]
    close = [
        Closing(attempt.request.number, f"{_why_again(attempt)}; proposed again")
        for attempt in seen.attempts
        if attempt.is_open and attempt.request and attempt.branch.attempt < branch.attempt
    ]
    close += [
        Closing(rival.request.number, "a newer release is proposed")
        for rival in older
        if not rival.keep
    ]
    notes = [f"{rival.request.url} stays open: {rival.keep}" for rival in older if rival.keep]
    notes += [
        f"hold `{hold.name}` of {hold.owner}: {hold.reason}"
        for hold in seen.holds
        if _stops(seen, hold.stops)
    ]
    return Plan(
        stage=seen.stage.name,
        app=passport.app,
        passport=passport,
        outcome=outcome,
        attempt=branch.attempt,
        change=change,
        draft=draft,
        adopt=adopt,
        close=tuple(close),
        notes=tuple(notes),
    )


def _why_again(attempt: Attempt) -> str:
    return "the stage has changed since" if attempt.tip else "its branch is gone"


def _edits(seen: Seen, passport: Passport) -> tuple[Edit, ...]:
    place = f"{seen.directory}/{layout.RELEASE}"
    if seen.files is None:
        content: tuple[Edit, ...] = (PutObject(place, passport.tree, is_tree=True),)
    else:
        content = (
            Remove(place),
            *(PutFile(f"{place}/{path}", data) for path, data in sorted(seen.files.items())),
        )
    return (
        *content,
        PutFile(f"{seen.directory}/{layout.PASSPORT}", passports.dump(passport).encode()),
    )


def _message(seen: Seen, passport: Passport, attempt: int, accepted: str | None) -> str:
    trailers = [
        ("Gitops-Release", passport.id),
        ("Gitops-Stage", seen.stage.name),
        ("Source-Commit", passport.source.commit),
        ("Argocd-reference-commit-sha", passport.source.commit),
    ]
    if attempt > 1:
        trailers.append(("Gitops-Attempt", str(attempt)))
    if accepted:
        trailers.append((ACCEPTED, accepted))
    subject = (
        f"{seen.ops.commits.prefix}Promote {passport.app} {passport.version} to {seen.stage.name}"
    )
    return message(subject, tuple(trailers))


# --- evidence ----------------------------------------------------------------


def stamped(seen: Seen) -> Passport:
    """The passport with what is known about the stages before, now."""
    lines = []
    for entered in seen.before:
        for suite in seen.stage.requires:
            line = _line(seen, entered, suite)
            if line:
                lines.append(line)
    return seen.passport.with_evidence(lines)


def _line(seen: Seen, entered: Entered, suite: str) -> EvidenceLine | None:
    final = entered.suites.get(suite)
    if final:
        return EvidenceLine(entered.stage, suite, final, By.VERIFIED)
    claim = seen.claims.get(suite) if len(seen.before) == 1 else None
    return EvidenceLine(entered.stage, suite, claim, By.CLAIMED) if claim else None


def suite_result(seen: Seen, suite: str) -> Result | None:
    """How a required suite ended in the stages before, None where nobody has said it yet.

    A final result stands above a claim. A claim does not say which of several stages it was made
    in, so it counts only where there is one.
    """
    finals = [entered.suites[suite] for entered in seen.before if suite in entered.suites]
    claim = seen.claims.get(suite) if len(seen.before) == 1 else None
    if Result.FAILED in finals:
        return Result.FAILED
    return Result.PASSED if finals else claim


def _stages(before: tuple[Entered, ...]) -> str:
    return " and ".join(entered.stage for entered in before) or "no stage"
