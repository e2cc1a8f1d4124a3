"""`promote`: propose one release for one stage, or say why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from gitops_ci import names, observe, ops, promotion, propose
from gitops_ci.config import OpsRepository, Stage
from gitops_ci.errors import ConfigError, LostRace, Temporary
from gitops_ci.forge import Forge
from gitops_ci.git import Place, Remote
from gitops_ci.observe import Order, Wanted
from gitops_ci.ops import Ops
from gitops_ci.passports import Result
from gitops_ci.promotion import NO_PERMISSIONS, Permissions, Plan
from gitops_ci.propose import Proposed, Say
from gitops_ci.release import Release
from gitops_ci.yamltree import shown

TRIES = 5  # against others who move the same branch; each one looks at everything anew

Remotes = Callable[[], AbstractContextManager[Remote]]
Make = Callable[[OpsRepository, Stage], Release]

_RESULTS = {
    "passed": Result.PASSED,
    "success": Result.PASSED,
    "failed": Result.FAILED,
    "failure": Result.FAILED,
    "canceled": None,
    "cancelled": None,
    "skipped": None,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller wants: which release of which application into which stage."""

    stage: str
    app: str
    make: Make  # the release of this commit
    release: str | None = None  # an id, where an earlier job has made it
    claims: Mapping[str, Result] = field(default_factory=dict)
    permissions: Permissions = NO_PERMISSIONS


def claims(texts: tuple[str, ...]) -> dict[str, Result]:
    """`NAME=RESULT` as results; a canceled or skipped suite is no result."""
    found = {}
    for text in texts:
        name, _, word = text.rpartition("=")
        fault = names.suite_fault(name) or (
            None if word in _RESULTS else f"not one of {', '.join(_RESULTS)}"
        )
        if fault:
            raise ConfigError(f"`--suite {shown(text)}` is not NAME=RESULT: {fault}")
        result = _RESULTS[word]
        if result:
            found[name] = result
    return found


def run(
    asked: Asked, *, remotes: Remotes, forge: Forge, order: Order, say: Say, dry: bool = False
) -> Proposed:
    """Plan, and carry out unless `dry`; where others moved something meanwhile, plan again."""
    for _ in range(TRIES):
        try:
            with remotes() as remote:
                decided = plan(asked, remote=remote, forge=forge, order=order)
                if dry:
                    return Proposed(decided)
                return propose.carry_out(decided, remote=remote, forge=forge, say=say)
        except LostRace as race:
            say(f"{race.message}, looking again")
    raise Temporary(
        f"`{asked.stage}` of `{asked.app}` is moved by others all the time", hint="run it again"
    )


def plan(asked: Asked, *, remote: Remote, forge: Forge, order: Order) -> Plan:
    """What has to be done. Reads everything, writes nothing."""
    remote.fetch(names.promotion_prefix(asked.stage, asked.app) + "*")
    repository = ops.read(remote, forge, asked.stage, asked.app)
    stage = ops.stage_of(repository.config, asked.stage)
    wanted = _wanted(asked, stage, repository)
    seen = observe.promotion(wanted, stage, ops=repository, order=order, claims=asked.claims)
    return promotion.plan(seen, asked.permissions)


def _wanted(asked: Asked, stage: Stage, repository: Ops) -> Wanted:
    if not stage.after:
        made = asked.make(repository.config, stage)
        return Wanted(asked.app, made.passport.id, made)
    if asked.release:
        return Wanted(asked.app, checked(asked.release, asked.app))
    made = asked.make(repository.config, stage)
    return Wanted(asked.app, _known_as(made, stage, repository))


def checked(text: str, app: str) -> str:
    """`text`, if it can be the id of a release of `app`."""
    fault = names.release_fault(text, app)
    if fault:
        raise ConfigError(f"`--release` is not the id of a release of `{app}`", hint=fault)
    return text


def _known_as(made: Release, stage: Stage, repository: Ops) -> str:
    """The id under which a stage before holds the same content, else its own."""
    for name in stage.after:
        place: Place = repository.place(repository.remote.tip, name, made.passport.app)
        passport = ops.passport_at(repository.remote, place)
        if passport and passport.tree == made.passport.tree:
            return passport.id
    return made.passport.id
