"""The gate: may this merge request be merged into its stage now, and if not, why.

Pure. `reconcile` is the only judge; `check` shows a preview of the same rules. Policy is always the
default branch's, never the merge request's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from gitops_ci import layout, names, release
from gitops_ci.config import Evidence, OpsRepository, Stage
from gitops_ci.errors import ConfigError
from gitops_ci.forge import Approval, MergeRequest
from gitops_ci.holds import Hold
from gitops_ci.passports import By, EvidenceLine, Passport, Result
from gitops_ci.progress import Entered


class Verdict(StrEnum):
    """What the gate says."""

    GREEN = "green"
    WAITING = "waiting"  # turns green by itself, or by a person's act
    REFUSED = "refused"  # a rule stands against it


@dataclass(frozen=True, slots=True)
class Gate:
    """A verdict with every reason there is."""

    verdict: Verdict
    reasons: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The first reason, for a status of limited length."""
        more = f" (+{len(self.reasons) - 1} more)" if len(self.reasons) > 1 else ""
        return (self.reasons[0] + more) if self.reasons else "all rules are met"


@dataclass(frozen=True, slots=True)
class Content:
    """What a promotion's branch brings, as far as git alone can tell."""

    passport: Passport
    tree: str | None  # the id that `release/` really has
    touched: tuple[str, ...]  # every path it changes
    files: tuple[str, ...] = ()  # of `release/`, relative to it
    special: tuple[str, ...] = ()  # touched paths that are no plain files: links, programs
    values: bytes = b""  # of `release/values.yaml`
    chart_faults: tuple[str, ...] = ()


def content_faults(
    ops: OpsRepository, stage: Stage, directory: str, content: Content
) -> tuple[str, ...]:
    """What is wrong with the bytes themselves."""
    return (
        *_ownership_faults(directory, content.touched),
        *_identity_faults(content),
        *_values_faults(ops, content),
        *_foreign_faults(content),
        *_image_faults(stage, content),
        *content.chart_faults,
    )


def _ownership_faults(directory: str, touched: Iterable[str]) -> Iterable[str]:
    allowed = (
        f"{directory}/{layout.RELEASE}/",
        f"{directory}/{layout.SECRETS}/",
    )
    exact = {f"{directory}/{layout.PASSPORT}", f"{directory}/{layout.OPS_VALUES}"}
    for path in touched:
        if path not in exact and not path.startswith(allowed):
            yield f"it changes `{path}`, which is not a promotion's to change"


def _identity_faults(content: Content) -> Iterable[str]:
    if content.tree is None:
        yield f"`{layout.RELEASE}/` is missing"
    elif content.tree != content.passport.tree:
        named, real = content.passport.tree[:12], content.tree[:12]
        yield f"the passport names tree `{named}`, `release/` is `{real}`"


def _values_faults(ops: OpsRepository, content: Content) -> Iterable[str]:
    needed = [
        release.VALUES,
        *(f"{release.STAGE_VALUES}/{stage.name}.yaml" for stage in ops.stages),
    ]
    for path in needed:
        if path not in content.files:
            yield f"`{layout.RELEASE}/{path}` is missing"


_BELONGS = re.compile(rf"{release.CHART}/.+|{release.VALUES}|{release.STAGE_VALUES}/[^/]+\.yaml")


def _foreign_faults(content: Content) -> Iterable[str]:
    for path in content.special:
        yield f"`{path}` is no plain file"
    for path in content.files:
        if not _BELONGS.fullmatch(path):
            yield f"`{layout.RELEASE}/{path}` does not belong to a release"


def _image_faults(stage: Stage, content: Content) -> Iterable[str]:
    for image in content.passport.images:
        try:
            parts = release.parse_ref(image.ref, source=image.name)
        except ConfigError as error:
            yield error.message
            continue
        if parts.digest is None and not stage.allow_tags:
            yield f"image `{image.name}` has no digest"
        mark = parts.digest or parts.tag or parts.repository
        if content.values and mark.encode() not in content.values:
            yield f"image `{image.name}` of the passport is not in `{layout.VALUES}`"


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the gate of one open merge request is judged by."""

    stage: Stage
    request: MergeRequest
    passport: Passport
    faults: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()  # reasons found while looking, such as commits of people
    current: Passport | None = None
    before: tuple[Entered, ...] = ()
    holds: tuple[Hold, ...] = ()
    approvals: tuple[Approval, ...] = ()
    approvers: frozenset[str] | None = field(default=None)  # None: anybody but the author


def gate(facts: Facts) -> Gate:
    """Judge one merge request."""
    refused = (*facts.faults, *_refusals(facts))
    if refused:
        return Gate(Verdict.REFUSED, refused)
    waiting = (*facts.waits, *_waits(facts))
    return Gate(Verdict.WAITING, waiting) if waiting else Gate(Verdict.GREEN)


def _refusals(facts: Facts) -> Iterable[str]:
    current, passport = facts.current, facts.passport
    if current and current.source.project != passport.source.project:
        yield f"`{passport.app}` belongs to `{current.source.project}`"
    for entered in facts.before:
        yield from _differences(entered, passport)
    for line in passport.evidence:
        if not _is_backed(line, facts):
            yield f"nothing shows that `{line.suite}` {line.result} on {line.stage} ({line.by})"
    for suite in facts.stage.requires:
        if any(entered.suites.get(suite) is Result.FAILED for entered in facts.before):
            yield f"`{suite}` failed"
    for hold in facts.holds:
        if hold.release and _stops(facts, hold):
            yield f"hold `{hold.name}` of {hold.owner}: {hold.reason}"


def _differences(entered: Entered, passport: Passport) -> Iterable[str]:
    """What was tested is what goes on: the tree, and everything that the passport says of it."""
    if entered.passport and entered.passport.tree != passport.tree:
        yield f"its tree is not the one that {entered.stage} has tested"
    elif entered.passport and _bare(entered.passport) != _bare(passport):
        yield f"its passport is not the one that {entered.stage} has"


def _bare(passport: Passport) -> Passport:
    return replace(passport, evidence=())


def _is_backed(line: EvidenceLine, facts: Facts) -> bool:
    """A line stands there already, is a claim about a stage before, or a fact that we recorded."""
    if any(entered.passport and line in entered.passport.evidence for entered in facts.before):
        return True
    here = [entered for entered in facts.before if entered.stage == line.stage]
    claimed = line.by is By.CLAIMED
    return any(claimed or entered.suites.get(line.suite) is line.result for entered in here)


def _waits(facts: Facts) -> Iterable[str]:
    yield from _evidence_waits(facts)
    if names.HOLD in facts.request.labels:
        yield f"the label `{names.HOLD}` is set"
    for hold in facts.holds:
        if not hold.release and _stops(facts, hold):
            yield f"hold `{hold.name}` of {hold.owner}: {hold.reason}"
    missing = facts.stage.approvals - len(counted(facts.request, facts.approvals, facts.approvers))
    if missing > 0:
        who = " or ".join(facts.stage.owners) or "anybody but its author"
        yield f"{missing} approval{'s' if missing > 1 else ''} of {who} missing"


def _evidence_waits(facts: Facts) -> Iterable[str]:
    for entered in facts.before:
        if entered.live_since is None:
            yield f"the release has not been live on {entered.stage}"
    for suite in facts.stage.requires:
        if not _suite_counts(facts, suite):
            yield f"`{suite}` has not passed"


def _suite_counts(facts: Facts, suite: str) -> bool:
    if any(entered.suites.get(suite) is Result.PASSED for entered in facts.before):
        return True
    if facts.stage.evidence is Evidence.VERIFIED:
        return False
    stages = {entered.stage for entered in facts.before}
    return any(
        line.suite == suite
        and line.stage in stages
        and line.result is Result.PASSED
        and line.by is By.CLAIMED
        for line in facts.passport.evidence
    )


def counted(
    request: MergeRequest, approvals: Iterable[Approval], approvers: frozenset[str] | None
) -> frozenset[str]:
    """The people whose approval counts: entitled, not the author, given on this very head."""
    given = {approval.user for approval in approvals if approval.head == request.head}
    entitled = given if approvers is None else given & approvers
    return frozenset(entitled - {request.author})


def _stops(facts: Facts, hold: Hold) -> bool:
    return hold.stops(app=facts.passport.app, stage=facts.stage.name, release=facts.passport.id)
