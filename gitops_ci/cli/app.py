"""The composition root: makes doors from options and environment, and prints results."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click

from gitops_ci import ci, credentials, files
from gitops_ci.cli import printable
from gitops_ci.credentials import Token
from gitops_ci.errors import ConfigError, Exit
from gitops_ci.forge import Forge, Relation
from gitops_ci.git import Remote, WorkTree
from gitops_ci.live import LiveSource
from gitops_ci.observe import DevOrder
from gitops_ci.watch import Clock

_LOCAL = "`--forge local --forge-url file:///path/to/forge`"


@dataclass(frozen=True)
class App:
    """One run: its options, and everything that is made from them."""

    forge_kind: str | None = None
    forge_url: str | None = None
    ops_project: str | None = None
    git_url: str | None = None
    output: str = "text"
    doubt: str = ""  # why the ops project may not be known
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @cached_property
    def pipeline(self) -> ci.Pipeline:
        return ci.pipeline(self.env)

    @cached_property
    def token(self) -> Token | None:
        return credentials.from_environment(self.env)

    @property
    def clock(self) -> Clock:
        return Clock(now=now, sleep=time.sleep)

    # --- forge ---------------------------------------------------------------

    @cached_property
    def ops(self) -> Forge:
        """The ops project."""
        if not self.ops_project:
            raise ConfigError(
                f"the ops repository is not known{self.doubt}",
                hint="set `ops.project` in gitops-ci.yaml, or pass `--ops-repo platform/shop-ops`",
            )
        return self._forge(self.ops_project, git_url=self.git_url)

    def dev(self, project: str) -> Forge | None:
        """A dev project, None where no token may see it."""
        return self._forge(project) if self._root.joinpath(f"{project}.git").exists() else None

    def _forge(self, project: str, *, git_url: str | None = None) -> Forge:
        from gitops_ci.forge.local import LocalForge

        return LocalForge(self._root, project, user=self.user, git_url=git_url, now=now)

    @property
    def user(self) -> str:
        """On the local forge the token is the name of who acts."""
        return self.token.value if self.token else "gitops-ci"

    @cached_property
    def _root(self) -> Path:
        kind = self.forge_kind or self.pipeline.forge
        if kind != "local":
            raise ConfigError(
                f"forge `{kind}` is not supported yet" if kind else "the forge is not known",
                hint=f"only the local forge is: pass {_LOCAL}",
            )
        parts = urlsplit(self.forge_url or "")
        if parts.scheme != "file" or not parts.path.startswith("/"):
            raise ConfigError(
                "`--forge-url` is missing or no `file:///…` URL", hint=f"pass {_LOCAL}"
            )
        return Path(unquote(parts.path))

    @property
    def live(self) -> LiveSource:
        from gitops_ci.live.simulated import SimulatedLive

        return SimulatedLive(self._root, self.ops.project, now=now)

    # --- git -----------------------------------------------------------------

    @contextmanager
    def remote(self) -> Iterator[Remote]:
        """A fresh partial copy of the ops repository."""
        with files.scratch() as scratch:
            remote = Remote.open(
                self.ops.git_url,
                scratch=scratch,
                default_branch=self.ops.default_branch(),
                token=self.token,
                env=self.env,
            )
            try:
                yield remote
            finally:
                remote.close()

    @cached_property
    def checkout(self) -> WorkTree | None:
        return WorkTree.at(Path.cwd(), self.env)

    @cached_property
    def order(self) -> DevOrder:
        """Who is newer: asks the dev project, then the checkout we stand in, if need be."""
        return DevOrder(self.dev, lambda _, base, head: self._in_checkout(base, head))

    def _in_checkout(self, base: str, head: str) -> Relation:
        return self.checkout.relation(base, head) if self.checkout else Relation.UNKNOWN

    # --- printing ------------------------------------------------------------

    def say(self, line: str) -> None:
        """Progress, for people: one line on standard error."""
        click.echo(printable(line), err=True)

    def finish(
        self, data: Mapping[str, object] | Sequence[object], text: str, *, code: int = Exit.DONE
    ) -> int:
        """Print one result, as text or JSON, and give the exit code on."""
        if self.output == "json":
            click.echo(json.dumps(data, indent=2, sort_keys=True, default=str))
        else:
            click.echo(printable(text))
        return int(code)

    def leave(self, outputs: Mapping[str, str], summary: str) -> None:
        """Job outputs and a summary, where the runner wants them."""
        ci.write_outputs(self.pipeline, outputs, summary)


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)
