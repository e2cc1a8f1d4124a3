"""`promote` between command line and command: unpack, call, print."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gitops_ci import ci, collect, names
from gitops_ci.changeset import Edit, PutFile, PutObject, Remove
from gitops_ci.cli import dev_side
from gitops_ci.cli.app import App
from gitops_ci.collect import Found, Recipe
from gitops_ci.commands import promote as promoting
from gitops_ci.errors import ConfigError, Exit, GitError
from gitops_ci.passports import Source
from gitops_ci.promotion import Permissions, Plan, Word
from gitops_ci.propose import Proposed


@dataclass(frozen=True, slots=True)
class Given:
    """What the options of `promote` say about the release."""

    config: Path | None
    project: str | None
    images: tuple[str, ...]
    version: str | None
    suites: tuple[str, ...]
    reopen: bool
    accept_diverged: str | None


def promote(app: App, given: Given, *, stage: str, release: str | None, dry_run: bool) -> int:
    """Plan, carry out unless it is a dry run, leave job outputs, print."""
    dev_side.check_stage(stage)
    found, app = dev_side.application(app, given.config)
    asked = promoting.Asked(
        stage=stage,
        app=found.app.name,
        make=lambda ops, policy: collect.make(_recipe(app, found, given), ops, policy),
        release=release,
        claims=promoting.claims(given.suites),
        permissions=Permissions(given.reopen, _one_line(given.accept_diverged)),
    )
    done = promoting.run(
        asked, remotes=app.remote, forge=app.ops, order=app.order, say=app.say, dry=dry_run
    )
    outcome = done.plan.outcome
    if dry_run:
        text = "\n".join((_plan_text(done.plan), *_uncommitted(app, found)))
        return app.finish(_data(done), text, code=outcome.code)
    app.leave(_outputs(done), f"**{outcome.word}**: {outcome.message}")
    return app.finish(_data(done), _text(done), code=outcome.code)


# --- what the dev side says --------------------------------------------------


def _uncommitted(app: App, found: Found) -> Iterator[str]:
    """A note on each part of the release that is not as the commit has it, as far as git tells."""
    its = found.app
    paths = [str(found.root / each) for each in (its.chart, its.values, its.stage_values)]
    with suppress(GitError):
        for path in app.checkout.changed(paths) if app.checkout else ():
            yield f"note: `{path}` is not as committed; the release is made of what lies there"


def _recipe(app: App, found: Found, given: Given) -> Recipe:
    commit = app.pipeline.commit or (app.checkout.commit() if app.checkout else None)
    if not commit:
        raise ConfigError(
            "the source commit is not known", hint="run it in a checkout of the dev repository"
        )
    source = Source(_project(app, given.project), commit, app.pipeline.merge_request)
    wanted = {names.image_variable(image.name): image.name for image in found.app.images}
    images = ci.images(app.env, wanted) | _images(given.images, found)
    named = given.version or names.version_from_tag(app.pipeline.tag or "") or commit[:8]
    return Recipe(found, images, named, source)


def _project(app: App, project: str | None) -> str:
    named = project or app.pipeline.project
    if not named:
        raise ConfigError("the dev project is not known", hint="pass `--project shop/web`")
    if names.project_fault(named):
        raise ConfigError(f"`--project {named[:60]}` is no project", hint="write `group/project`")
    return named


def _images(texts: tuple[str, ...], found: Found) -> dict[str, str]:
    known = {image.name for image in found.app.images}
    given = {}
    for text in texts:
        name, equals, ref = text.partition("=")
        if not equals or name not in known:
            names_there = ", ".join(f"`{each}`" for each in sorted(known))
            raise ConfigError(
                f"`--image` wants NAME=REF, and the application has no image `{name[:60]}`"
                f"{found.doubt}",
                hint=f"its images are {names_there}",
            )
        given[name] = ref
    return given


def _one_line(text: str | None) -> str | None:
    return " ".join(text.split()) if text and text.strip() else None


# --- printing ----------------------------------------------------------------


def _data(done: Proposed) -> dict[str, object]:
    plan = done.plan
    return {
        "result": plan.outcome.word,
        "message": plan.outcome.message,
        "stage": plan.stage,
        "app": plan.app,
        "release": plan.release,
        "tree": plan.passport.tree,
        "branch": plan.draft.source if plan.draft else None,
        "title": plan.draft.title if plan.draft else None,
        "commit": done.commit,
        "merge_request": done.request.number if done.request else plan.adopt,
        "url": done.request.url if done.request else None,
        "close": [dataclasses.asdict(closing) for closing in plan.close],
        "notes": list(plan.notes),
    }


def _outputs(done: Proposed) -> dict[str, str]:
    data = _data(done)
    keys = {
        "GITOPS_RESULT": "result",
        "GITOPS_RELEASE": "release",
        "GITOPS_TREE": "tree",
        "GITOPS_STAGE": "stage",
        "GITOPS_BRANCH": "branch",
        "GITOPS_COMMIT": "commit",
        "GITOPS_MERGE_REQUEST": "merge_request",
        "GITOPS_MERGE_REQUEST_URL": "url",
    }
    return {key: str(data[name] or "") for key, name in keys.items()}


def _text(done: Proposed, *, first: str | None = None) -> str:
    outcome = done.plan.outcome
    lines = [first or f"{outcome.word}: {outcome.message}"]
    if done.request:
        lines.append(f"  {done.request.url}")
    lines += [f"  note: {note}" for note in done.plan.notes]
    if outcome.hint and outcome.code is not Exit.DONE:
        lines.append(f"\nhint: {outcome.hint}")
    return "\n".join(lines)


def _plan_text(plan: Plan) -> str:
    lines = [_dry_text(plan)]
    change, draft = plan.change, plan.draft
    if change:
        lines += ["", f"  commit on {change.parent[:12]}, branch {change.branch}:"]
        lines += [f"    {_doing(edit)} {edit.path}" for edit in change.edits]
    if draft:
        lines += [f"  {'update' if plan.adopt else 'open'}: {draft.title}", "", draft.description]
    lines += [f"  close {closing.number}: {closing.why}" for closing in plan.close]
    return "\n".join(lines)


def _dry_text(plan: Plan) -> str:
    """What would come of it, in words that nobody takes for done."""
    is_new = plan.outcome.word is Word.OPENED
    first = f"`{plan.release}` would be proposed for {plan.stage}" if is_new else None
    return f"dry run: {_text(Proposed(plan), first=first)}"


def _doing(edit: Edit) -> str:
    match edit:
        case PutFile():
            return "write"
        case PutObject():
            return "place"
        case Remove():
            return "remove"
