"""What git's answers mean: the words of a failed call, git's own or the server's, as our errors.

Owns every pattern that git's output is searched for. Must not call git, nor decide what to do next.
"""

from __future__ import annotations

import re

from gitops_ci.errors import (
    ConfigError,
    Forbidden,
    GitError,
    GitopsCiError,
    LostRace,
    NotFound,
    Rejected,
    Temporary,
    Unauthorized,
)
from gitops_ci.process import Completed

# The line of one ref in what `push --porcelain` reports; hooks and servers cannot write there.
_REPORT = r"^!\t[^\t\n]*:{ref}\t\[(?P<by>[a-z ]+)\](?: \((?P<why>.*)\))?$"
_RACE = re.compile(
    r"failed to update ref|cannot lock ref|incorrect old value provided|reference already exists"
)

_FULL = re.compile(r"No space left on device|Out of diskspace")
_TEMPORARY = re.compile(
    r"Could not resolve|Connection (?:refused|reset)|timed out|early EOF|Empty reply"
    r"|transfer closed"
    r"|RPC failed|unexpected disconnect|remote end hung up|hung up unexpectedly"
    r"|returned error: (?:5\d\d|429)|Operation too slow|Failed to connect|Could not connect"
    r"|couldn't connect|SSL_ERROR|gnutls_handshake|Bad gateway|Service Unavailable",
    re.IGNORECASE,
)
_UNAUTHORIZED = re.compile(
    r"Authentication failed|could not read (?:Username|Password)|returned error: 401"
    r"|Invalid username",
    re.IGNORECASE,
)
_FORBIDDEN = re.compile(r"returned error: 403|You are not allowed to push", re.IGNORECASE)
_REDIRECTED = re.compile(r"returned error: 30\d|redirect", re.IGNORECASE)
_NO_REPOSITORY = re.compile(r"not found|does not appear to be a git repository|does not exist")


def refusal(done: Completed, ref: str) -> GitopsCiError | None:
    """What the report of a push says against `ref`; None where it says nothing of it."""
    found = re.search(_REPORT.format(ref=re.escape(ref)), done.text(), re.MULTILINE)
    if found is None:
        return None
    branch, why = ref.removeprefix("refs/heads/"), found["why"] or "no reason given"
    if found["by"] == "remote failure":
        return Temporary(f"the server did not tell whether it took `{branch}`", hint="run it again")
    if found["by"] == "rejected" or _RACE.search(why):
        return LostRace(f"somebody else moved `{branch}` first")
    said = (line for line in done.stderr.splitlines() if line.startswith("remote:"))
    return Rejected(
        "\n".join((f"the ops repository refused `{branch}`: {why}", *list(said)[-4:])),
        hint="ask the platform team: protection or a push rule stands against it",
    )


def known(done: Completed, *, url: str, branch: str) -> GitopsCiError | None:
    """What a failed call of a remote means; None where its words are new to us."""
    said, words = done.stderr, done.last_words(3)
    if _FULL.search(said):
        return no_room()
    if error := _about_access(said, words, url):
        return error
    if "couldn't find remote ref" in said:
        return NotFound(
            f"`{url}` has no branch `{branch}` yet", hint="commit what `gitops-ci init ops` writes"
        )
    if _NO_REPOSITORY.search(said):
        return NotFound(f"there is no repository at `{url}`, or the token cannot see it")
    if _TEMPORARY.search(said):
        return Temporary(f"`{url}` cannot be reached\n{words}", hint="run it again")
    return None


def _about_access(said: str, words: str, url: str) -> GitopsCiError | None:
    if "Permission denied (publickey" in said:
        return Unauthorized(
            f"`{url}` does not accept the ssh key",
            hint="check which key `ssh` offers there, and that it may write",
        )
    if _UNAUTHORIZED.search(said):
        return Unauthorized(
            f"`{url}` does not accept the token", hint="check `GITOPS_CI_TOKEN` and its expiry"
        )
    if _FORBIDDEN.search(said):
        return Forbidden(
            f"the token may not do this on `{url}`\n{words}",
            hint="`GITOPS_CI_TOKEN` needs the right to push branches there",
        )
    if _REDIRECTED.search(said):
        return ConfigError(
            f"`{url}` redirects to another address, which the token is not sent to",
            hint="name the address that it leads to, often the same one with `.git` at its end",
        )
    return None


def unknown(done: Completed, *, url: str) -> GitError:
    """What is left to say of a failed call."""
    return GitError(f"git failed on `{url}`\n{done.last_words()}")


def not_made(done: Completed) -> GitopsCiError:
    """Why a commit could not be made here."""
    if _FULL.search(done.stderr):
        return no_room()
    return GitError(f"the commit could not be made\n{done.last_words()}")


def no_room() -> Temporary:
    """The disk is full, ours or the server's."""
    return Temporary("the disk is full", hint="free some space and run again")
