"""One call of git on one repository directory: the environment it gets and how it fails.

Knows nothing about remotes, credentials or forges.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from gitops_ci import process
from gitops_ci.errors import GitError

# What a machine's administrator sets for TLS, proxies, SSH and configuration; all else that git
# inherits (GIT_DIR, GIT_INDEX_FILE, GIT_CONFIG_PARAMETERS ...) belongs to somebody else's call.
_KEPT = frozenset({
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_EXEC_PATH",
    "GIT_HTTP_PROXY_AUTHMETHOD",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSH_VARIANT",
})
_KEPT_PREFIXES = ("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_", "GIT_PROXY_", "GIT_SSL_")

_FIXED = MappingProxyType({
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
})
_NOTHING: Mapping[str, str] = MappingProxyType({})


def environment(
    base: Mapping[str, str] = os.environ, extra: Mapping[str, str] = _NOTHING
) -> dict[str, str]:
    """`base` without inherited `GIT_*`, with our settings, then with `extra`.

    No protocol is allowed unless `extra` says so in `GIT_ALLOW_PROTOCOL`.
    """
    kept = {name: value for name, value in base.items() if _passes(name)}
    return {**kept, **_FIXED, **extra}


def _passes(name: str) -> bool:
    return not name.startswith("GIT_") or name in _KEPT or name.startswith(_KEPT_PREFIXES)


@dataclass(frozen=True, slots=True)
class Git:
    """git bound to one repository directory and one environment."""

    git_dir: Path
    env: Mapping[str, str]

    def run(
        self,
        *args: str,
        stdin: bytes | None = None,
        extra_env: Mapping[str, str] = _NOTHING,
        timeout: float = 600.0,
    ) -> process.Completed:
        """Run to the end, whatever the exit code is; `timeout` in seconds."""
        argv = ("git", "--git-dir", str(self.git_dir), *args)
        return process.run(argv, env={**self.env, **extra_env}, stdin=stdin, timeout=timeout)

    def out(
        self,
        *args: str,
        stdin: bytes | None = None,
        extra_env: Mapping[str, str] = _NOTHING,
        timeout: float = 600.0,
    ) -> str:
        """Its output without the last line break; `GitError` where it fails."""
        done = self.run(*args, stdin=stdin, extra_env=extra_env, timeout=timeout)
        if not done.ok:
            words = done.last_words() or "it said nothing"
            raise GitError(f"`git {args[0]}` ended with {done.code}\n{words}")
        return done.text().removesuffix("\n")

    def start(self, *args: str) -> process.Running:
        """Start it and go on."""
        return process.start(("git", "--git-dir", str(self.git_dir), *args), env=self.env)

    def dialogue(self, *args: str) -> process.Dialogue:
        """Start one that answers questions."""
        return process.Dialogue(("git", "--git-dir", str(self.git_dir), *args), env=self.env)
