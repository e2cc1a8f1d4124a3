"""Options that several commands share; each can be given by an environment variable.

Loads nothing but click: `--help` of a command must not pay for what the command does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.types import StringParamType

if TYPE_CHECKING:
    from gitops_ci.cli.app import App

F = TypeVar("F", bound=Callable[..., Any])


class Listed(StringParamType):
    """A repeatable option's text; its variable separates several by lines or commas."""

    def split_envvar_value(self, rv: str) -> list[str]:
        return [part.strip() for part in re.split(r"[\n,]", rv) if part.strip()]


LISTED = Listed()


def option(*names: str, of: str = "", **settings: Any) -> Callable[[F], F]:
    """A click option whose variable is `GITOPS_CI_<NAME>` unless told otherwise.

    `of` names the command where the option alone would be too general: `GITOPS_CI_<OF>_<NAME>`.
    """
    words = "-".join(filter(None, (of, names[0].lstrip("-"))))
    variable = "GITOPS_CI_" + words.upper().replace("-", "_")
    return click.option(
        *names, envvar=settings.pop("envvar", variable), show_envvar=True, **settings
    )


OUTPUT = option(
    "--output", type=click.Choice(["text", "json"]), default="text", help="What to print."
)
HELM = option("--helm", "helm", type=click.Path(path_type=Path), help="The helm program to use.")


def with_app(function: Callable[..., int]) -> Callable[..., int]:
    """Adds the options that name forge and ops repository, and passes an `App` made from them."""

    @option(
        "--forge",
        type=click.Choice(["gitlab", "github", "local"]),
        help="Kind of forge; default: the runner's own. Only `local` is supported yet.",
    )
    @option("--forge-url", metavar="URL", help="Where the forge is; local: file:///ROOT.")
    @option("--ops-repo", metavar="PROJECT", help="Project of the ops repository.")
    @option("--git-url", metavar="URL", help="Reach the ops repository's git over this URL.")
    @OUTPUT
    @wraps(function)
    def wrapper(
        *,
        forge: str | None,
        forge_url: str | None,
        ops_repo: str | None,
        git_url: str | None,
        output: str,
        **others: Any,
    ) -> int:
        return function(_app(forge, forge_url, ops_repo, git_url, output), **others)

    return wrapper


def _app(*settings: str | None) -> App:
    from gitops_ci.cli.app import App

    return App(*settings)  # type: ignore[arg-type]  # `output` is never None
