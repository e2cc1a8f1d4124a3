"""`promote` and `wait` between command line and command: unpack, call, print."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from gitops_ci import ci, collect, names, scaffold
from gitops_ci.cli.app import App
from gitops_ci.collect import Recipe
from gitops_ci.commands import promote as promoting
from gitops_ci.commands import wait as waiting
from gitops_ci.config import Application
from gitops_ci.errors import ConfigError, Exit
from gitops_ci.passports import Source
from gitops_ci.promotion import Permissions, Plan
from gitops_ci.propose import Proposed


@dataclass(frozen=True, slots=True)
class Given:
    """What the options of `promote` say about the release."""

    config: Path
    project: str | None
    images: tuple[str, ...]
    version: str | None
    suites: tuple[str, ...]
    reopen: bool
    accept_diverged: str | None


def promote(app: App, given: Given, *, stage: str, release: str | None, dry_run: bool) -> int:
    """Plan, carry out unless it is a dry run, leave job outputs, print."""
    _check_stage(stage)
    found, app = _application(app, given.config)
    asked = promoting.Asked(
        stage=stage,
        app=found.name,
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
        return app.finish(_data(done), _plan_text(done.plan), code=outcome.code)
    app.leave(_outputs(done), f"**{outcome.word}**: {outcome.message}")
    return app.finish(_data(done), _text(done), code=outcome.code)


def wait(app: App, config: Path, *, stage: str, release: str | None, timeout: int) -> int:
    """Look until it is decided or the time is over."""
    _check_stage(stage)
    found, app = _application(app, config)
    if not release:
        raise ConfigError(
            "`--release` is missing", hint="pass the output `GITOPS_RELEASE` of `promote` on"
        )
    world = waiting.World(app.remote, app.ops, app.live, app.clock, app.say)
    result = waiting.run(
        world, stage=stage, app=found.name, release=release, timeout=timedelta(seconds=timeout)
    )
    data = {
        "stage": stage,
        "release": release,
        "state": result.verdict.state,
        "message": result.verdict.message,
    }
    app.leave({"GITOPS_LIVE": result.verdict.state}, result.verdict.message)
    return app.finish(data, f"{result.verdict.state}: {result.verdict.message}", code=result.code)


# --- what the dev side says --------------------------------------------------


def _check_stage(stage: str) -> None:
    fault = names.stage_fault(stage)
    if fault:
        raise ConfigError(f"`--stage` cannot be `{stage[:60]}`: {fault}")


def _application(app: App, config: Path) -> tuple[Application, App]:
    project = app.pipeline.project or ""
    fallback = scaffold.app_name((project or str(Path.cwd())).rsplit("/", 1)[-1])
    found = collect.application(config, fallback=fallback)
    return found, dataclasses.replace(app, ops_project=app.ops_project or found.ops_project)


def _recipe(app: App, found: Application, given: Given) -> Recipe:
    commit = app.pipeline.commit or (app.checkout.commit() if app.checkout else None)
    if not commit:
        raise ConfigError(
            "the source commit is not known", hint="run it in a checkout of the dev repository"
        )
    source = Source(_project(app, given.project), commit, app.pipeline.merge_request)
    wanted = {names.image_variable(image.name): image.name for image in found.images}
    images = ci.images(app.env, wanted) | _images(given.images, found)
    named = given.version or names.version_from_tag(app.pipeline.tag or "") or commit[:8]
    return Recipe(given.config.parent, found, images, named, source)


def _project(app: App, project: str | None) -> str:
    named = project or app.pipeline.project
    if not named:
        raise ConfigError("the dev project is not known", hint="pass `--project shop/web`")
    return named


def _images(texts: tuple[str, ...], found: Application) -> dict[str, str]:
    known = {image.name for image in found.images}
    given = {}
    for text in texts:
        name, equals, ref = text.partition("=")
        if not equals or name not in known:
            names_there = ", ".join(f"`{each}`" for each in sorted(known))
            raise ConfigError(
                f"`--image` wants NAME=REF, and the application has no image `{name[:60]}`",
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


def _text(done: Proposed) -> str:
    outcome = done.plan.outcome
    lines = [f"{outcome.word}: {outcome.message}"]
    if done.request:
        lines.append(f"  {done.request.url}")
    lines += [f"  note: {note}" for note in done.plan.notes]
    if outcome.hint and outcome.code is not Exit.DONE:
        lines.append(f"\nhint: {outcome.hint}")
    return "\n".join(lines)


def _plan_text(plan: Plan) -> str:
    lines = [_text(Proposed(plan)), "", "nothing was written; this would be:"]
    change, draft = plan.change, plan.draft
    if change:
        lines += [f"  commit on {change.parent[:12]}, branch {change.branch}:"]
        lines += [f"    {type(edit).__name__} {edit.path}" for edit in change.edits]
    if draft:
        lines += [f"  {'update' if plan.adopt else 'open'}: {draft.title}", "", draft.description]
    lines += [f"  close {closing.number}: {closing.why}" for closing in plan.close]
    return "\n".join(lines if change or draft else lines[:1])
