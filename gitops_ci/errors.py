"""The errors this package raises on purpose, and the exit codes they end in.

    GitopsCiError      1   expected: a message, often a hint, never a traceback
      ConfigError      2   bad input, with file, line and path of each finding
      NotYet           3   waits for a person or the cluster; safe to run again
      Refused          4   policy says no, and which rule
      Temporary       75   forge, network or disk; safe to run again
      ProcessError     1   a program failed: redacted arguments, status, last lines
      GitError         1
        LostRace       1   the remote moved on: look again, plan again
        Rejected       1   protection or a hook said no: trying again does not help
      ForgeError       1
        NotFound       1
        Conflict       1   the object is not in the state the call needs
        Unauthorized   2   the token is not accepted
        Forbidden      2   the token may not do this

Anything else that reaches the command line is a bug (70). Knows nothing about click.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command; their meaning is part of the interface."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_YET = 3
    REFUSED = 4
    BUG = 70
    TEMPORARY = 75
    INTERRUPTED = 130
    TERMINATED = 143


_SEVERITY = (Exit.BUG, Exit.FAILED, Exit.USAGE, Exit.TEMPORARY, Exit.REFUSED, Exit.NOT_YET)


def worst(codes: Iterable[int]) -> Exit:
    """The most severe of several outcomes of one run; `DONE` where there is none."""
    seen = set(codes)
    return next((code for code in _SEVERITY if code in seen), Exit.DONE)


class GitopsCiError(Exception):
    """An expected failure; `hint` says what to do about it."""

    exit_code: Exit = Exit.FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding in a file; `line` counts from 1, 0 where none can be named."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


class ConfigError(GitopsCiError):
    """Input that cannot be used: every finding as `file:line: $.path: message`."""

    exit_code = Exit.USAGE

    def __init__(self, *problems: Problem | str, hint: str | None = None) -> None:
        super().__init__("\n".join(str(problem) for problem in problems), hint=hint)
        self.problems = tuple(p for p in problems if isinstance(p, Problem))


class NotYet(GitopsCiError):
    """Nothing is wrong: a person, a cluster or a clock has to move first."""

    exit_code = Exit.NOT_YET


class Refused(GitopsCiError):
    """Policy forbids it; the message names the rule."""

    exit_code = Exit.REFUSED


class Temporary(GitopsCiError):
    """The forge, the network or the disk failed; running again is safe."""

    exit_code = Exit.TEMPORARY


class ProcessError(GitopsCiError):
    """A program ended with an error."""


class GitError(GitopsCiError):
    """git refused, for a reason that is neither a race nor a rule."""


class LostRace(GitError):
    """Somebody else moved the ref first."""


class Rejected(GitError):
    """The remote's protection or a hook said no."""


class ForgeError(GitopsCiError):
    """The forge refused a call."""


class NotFound(ForgeError):
    """It does not exist, or this token cannot see it."""


class Conflict(ForgeError):
    """The object is not in the state that the call needs."""


class Unauthorized(ForgeError):
    """The token is not accepted."""

    exit_code = Exit.USAGE


class Forbidden(ForgeError):
    """The token is accepted and may not do this."""

    exit_code = Exit.USAGE
