"""What a decision is made from, as frozen data: a case names what it is about, the rest is usual.

The usual world: `2.1.0` of shop-web, live and tested on itg, wants to enter tst, which is empty.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from gitops_ci import names
from gitops_ci.changeset import Edit
from gitops_ci.config import Merge, OpsRepository, Stage, Sync
from gitops_ci.forge import MergeRequest, MergeState, Relation
from gitops_ci.holds import Hold
from gitops_ci.passports import ChartRef, ImageRef, Passport, Result, Source
from gitops_ci.progress import Attempt, Entered, Rival, Seen, Shape

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
BOT = "gitops-ci"
SUITE = "integration-tests"

ITG = Stage("itg", merge=Merge.AUTO, sync=Sync.AUTO, approvals=0)
TST = Stage("tst", owners=("tst-owners",), requires=(SUITE,), after=("itg",))
PROD = Stage("prod", owners=("prod-owners",), approvals=2, after=("tst",))
OPS = OpsRepository(stages=(ITG, TST, PROD))
PLACE = "environments/tst/shop-web"


def oid(name: str) -> str:
    """A git id that stands for `name`."""
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


TIP = oid("tip of the target")
BRANCH_TIP = oid("tip of the branch")


def passport(
    version: str = "2.1.0",
    *,
    app: str = "shop-web",
    tree: str | None = None,
    commit: str | None = None,
    project: str = "shop/web",
    **more: object,
) -> Passport:
    """The passport of a version; tree and commit stand for the version unless named."""
    content = tree or oid(f"tree of {version}")
    made = Passport(
        app=app,
        id=names.release_id(app, version, content),
        tree=content,
        images=(ImageRef("web", f"registry.example.com/shop/web:{version}@sha256:{'9b' * 32}"),),
        chart=ChartRef("web", "1.8.2"),
        source=Source(project, commit or oid(f"commit of {version}"), 118),
    )
    return replace(made, **more)  # type: ignore[arg-type]


OURS = passport("2.1.0")
OLDER = passport("2.0.0")
NEWER = passport("2.2.0")


def branch(number: int = 1, *, of: Passport = OURS, stage: str = "tst") -> names.PromotionBranch:
    """The branch of an attempt."""
    return names.PromotionBranch(stage, of.app, of.id, number)


def request(
    number: int,
    state: MergeState = MergeState.OPEN,
    *,
    source: names.PromotionBranch | None = None,
    **more: object,
) -> MergeRequest:
    """A merge request of ours on the ops repository."""
    usual = MergeRequest(
        number=number,
        url=f"https://git.example.com/shop-ops/{number}",
        title="",
        description="",
        source=str(source or branch()),
        target="main",
        head=BRANCH_TIP,
        state=state,
        author=BOT,
        created=NOON,
        labels=frozenset({names.LABEL}),
    )
    return replace(usual, **more)  # type: ignore[arg-type]


def attempt(
    mr: int | None = None,
    state: MergeState = MergeState.OPEN,
    *,
    number: int = 1,
    tip: str | None = BRANCH_TIP,
    shape: Shape = Shape.OURS,
    fresh: bool = True,
    carried: tuple[Edit, ...] = (),
    holds: Passport | None = OURS,
    **more: object,
) -> Attempt:
    """A try of ours; `mr` is the number of its merge request, None where there is none."""
    name = branch(number)
    return Attempt(
        branch=name,
        tip=tip,
        shape=shape,
        parent=TIP if fresh else oid("an older tip"),
        fresh=fresh,
        carried=carried,
        passport=holds if tip else None,
        request=request(mr, state, source=name, **more) if mr else None,
    )


def merged(mr: int, *, number: int = 1) -> Attempt:
    """A try that was merged; its branch is gone."""
    commit = oid(f"merge of {mr}")
    return attempt(mr, MergeState.MERGED, number=number, tip=None, merge_commit=commit)


def rival(
    mr: int, relation: Relation, *, of: Passport | None = None, keep: str | None = None
) -> Rival:
    """An open merge request of another release; `relation` says how ours stands to it."""
    other = of or (NEWER if relation is Relation.BEHIND else OLDER)
    return Rival(
        request(mr, source=branch(of=other)), other.id, other.source.commit, relation, keep
    )


def lived(stage: str = "itg", of: Passport = OURS, **suites: Result) -> Entered:
    """A stage before, in which the release was live and its suites passed."""
    final = suites or {SUITE: Result.PASSED}
    return Entered(stage, of, oid(f"merged into {stage}"), NOON, final)


def hold(**scope: str) -> Hold:
    """A hold of operations with the given scopes."""
    return Hold("wrong-prices", "prices are wrong", "jane", **scope)


def seen(stage: Stage = TST, **more: object) -> Seen:
    """The usual world, with what a case changes in it."""
    usual = Seen(
        ops=OPS,
        stage=stage,
        directory=f"environments/{stage.name}/shop-web",
        tip=TIP,
        target="main",
        passport=OURS,
        files=None,
        before=tuple(lived(name) for name in stage.after),
    )
    return replace(usual, **more)  # type: ignore[arg-type]


def holding(current: Passport, relation: Relation, **more: object) -> Seen:
    """The usual world where the stage holds `current`; `relation` is ours to it."""
    return seen(current=current, relation=relation, **more)


def claims(**results: Result) -> Mapping[str, Result]:
    """Claims with `_` for `-` in the names of suites."""
    return {name.replace("_", "-"): result for name, result in results.items()}
