"""How a remote may be reached: the URLs that git may speak to, and the token for one of them.

Owns what keeps the token where it belongs. Must not know what is fetched or pushed.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from gitops_ci.credentials import Token
from gitops_ci.errors import ConfigError


def protocol(url: str) -> str:
    """What git may speak to this URL; raises for one that is not safe to use."""
    parts = urlsplit(url)
    if parts.password or (parts.username and parts.scheme in {"http", "https"}):
        raise ConfigError(
            "the URL of the ops repository holds a credential",
            hint="pass the token in `GITOPS_CI_TOKEN`",
        )
    if parts.scheme == "http" and parts.hostname not in {"127.0.0.1", "::1", "localhost"}:
        raise ConfigError(f"`{url}` is not encrypted", hint="use https")
    if parts.scheme in {"http", "https", "ssh", "file"}:
        return parts.scheme
    if re.fullmatch(r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^-].*", url):
        return "ssh"
    raise ConfigError(f"`{url}` is no URL that git may use here", hint="use https or ssh")


def with_settings(env: Mapping[str, str], *pairs: tuple[str, str]) -> dict[str, str]:
    """The environment with more git configuration, after what is there."""
    configured, there = dict(env), int(env.get("GIT_CONFIG_COUNT") or 0)
    for number, (key, value) in enumerate(pairs, there):
        configured |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return configured | {"GIT_CONFIG_COUNT": str(there + len(pairs))}


def header(url: str, token: Token | None) -> tuple[tuple[str, str], ...]:
    """The token as a header for this server; never an argument, never a file."""
    if token is None or not url.startswith("http"):
        return ()
    pair = base64.b64encode(f"{token.user}:{token.value}".encode()).decode()
    parts = urlsplit(url)
    key = f"http.{parts.scheme}://{parts.netloc}/.extraHeader"
    return ((key, f"Authorization: Basic {pair}"),)
