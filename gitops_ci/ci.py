"""What the runner tells: the only reader of `CI_*` and `GITHUB_*`.

Everything it gives is untrusted text until a check of `names` has let it pass.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gitops_ci import names
from gitops_ci.files import append_text, write_text

DOTENV = "GITOPS_CI_DOTENV"  # where GitLab's `artifacts:reports:dotenv` is written


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The pipeline a command runs in; empty outside of one."""

    forge: str | None = None  # gitlab, github
    project: str | None = None
    commit: str | None = None
    tag: str | None = None
    merge_request: int | None = None
    base: str | None = None  # what a merge request is compared with: a commit or a full ref
    dotenv: Path | None = None  # a file of KEY=value lines, of one command alone
    output: Path | None = None  # the same, shared by all of a job
    summary: Path | None = None  # a Markdown file, shared by all of a job


def pipeline(env: Mapping[str, str] = os.environ) -> Pipeline:
    """The pipeline around us."""
    if env.get("GITLAB_CI"):
        return _gitlab(env)
    if env.get("GITHUB_ACTIONS"):
        return _github(env)
    return Pipeline(dotenv=_path(env, DOTENV))


def _gitlab(env: Mapping[str, str]) -> Pipeline:
    return Pipeline(
        forge="gitlab",
        project=env.get("CI_PROJECT_PATH"),
        commit=_commit(env.get("CI_COMMIT_SHA")),
        tag=env.get("CI_COMMIT_TAG"),
        merge_request=_number(env.get("CI_MERGE_REQUEST_IID")),
        base=_commit(env.get("CI_MERGE_REQUEST_TARGET_BRANCH_SHA"))  # of a merged result only
        or _commit(env.get("CI_MERGE_REQUEST_DIFF_BASE_SHA")),
        dotenv=_path(env, DOTENV),
    )


def _github(env: Mapping[str, str]) -> Pipeline:
    return Pipeline(
        forge="github",
        project=env.get("GITHUB_REPOSITORY"),
        commit=_commit(env.get("GITHUB_SHA")),
        tag=env.get("GITHUB_REF_NAME") if env.get("GITHUB_REF_TYPE") == "tag" else None,
        base=f"refs/remotes/origin/{branch}" if (branch := env.get("GITHUB_BASE_REF")) else None,
        dotenv=_path(env, DOTENV),
        output=_path(env, "GITHUB_OUTPUT"),
        summary=_path(env, "GITHUB_STEP_SUMMARY"),
    )


def _commit(text: str | None) -> str | None:
    return text if text and names.is_commit(text) else None


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[1-9][0-9]{0,9}", text) else None


def _path(env: Mapping[str, str], name: str) -> Path | None:
    return Path(env[name]) if env.get(name) else None


def images(env: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """References that build jobs left in variables; `wanted` maps a variable to an image."""
    return {image: env[variable].strip() for variable, image in wanted.items() if env.get(variable)}


def write_outputs(pipeline: Pipeline, values: Mapping[str, str], summary: str) -> None:
    """Leave job outputs and a summary where the runner looks for them."""
    lines = "".join(f"{key}={_one_line(value)}\n" for key, value in values.items())
    if pipeline.dotenv:
        _replace(pipeline.dotenv, lines)
    elif pipeline.output:
        append_text(pipeline.output, lines)
    if pipeline.summary:
        append_text(pipeline.summary, summary + "\n")


def _replace(path: Path, text: str) -> None:
    """The file's whole content from now on; a pipe or a device just takes it."""
    place = path.resolve()
    is_plain = place.is_file() or not place.exists()
    (write_text if is_plain else append_text)(place, text)


def _one_line(value: str) -> str:
    return "".join(char if char.isprintable() else " " for char in value)
