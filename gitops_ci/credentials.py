"""Tokens, and where each came from. Nothing else reads them, nothing prints them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gitops_ci.errors import ConfigError

TOKEN = "GITOPS_CI_TOKEN"  # noqa: S105 - the name of a variable, not a token


@dataclass(frozen=True, slots=True)
class Token:
    """A token and the variable it came from, so that a refusal can name what to fix."""

    value: str = field(repr=False)
    origin: str
    user: str = "gitops-ci"  # what goes before the colon in basic authentication


def from_environment(env: Mapping[str, str], variable: str = TOKEN) -> Token | None:
    """The token in `variable`, None where it is empty or missing."""
    value = env.get(variable, "").strip()
    if not value:
        return None
    if not value.isprintable() or " " in value:
        raise ConfigError(f"`{variable}` holds spaces or control characters", hint="set it again")
    return Token(value, variable)
