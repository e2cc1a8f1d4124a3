"""Is this release live? The Protocol of the sources that can tell, and the one rule that judges.

Pure. A source says what it sees (`Look`); `judge` says what that means for one release. The look
names a revision of the ops repository, and the passport *at that revision* says which release it
is: comparing commit ids is wrong on a repository that many applications share.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol


class Health(StrEnum):
    """Health of an application, in Argo CD's words."""

    HEALTHY = "Healthy"
    PROGRESSING = "Progressing"
    DEGRADED = "Degraded"
    MISSING = "Missing"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at one application showed.

    `revision` is the ops commit that runs, None where nothing can be said. `failed` is the ops
    commit whose last sync failed, with `message` as the cluster's own words.
    """

    application: str
    revision: str | None
    health: Health
    failed: str | None = None
    message: str = ""


class LiveState(StrEnum):
    """What is known about one release in one stage."""

    PENDING = "pending"  # on its way, or nothing can be said yet
    WAITING = "waiting"  # for the stage's owner to press Sync
    LIVE = "live"
    FAILED = "failed"
    OVERTAKEN = "overtaken"  # a newer release runs, and this one was not seen live


@dataclass(frozen=True, slots=True)
class LiveVerdict:
    """A state and the sentence that explains it."""

    state: LiveState
    message: str


class LiveSource(Protocol):
    """Something that can tell what runs."""

    @property
    def settle(self) -> timedelta:
        """Time between the two looks that must agree."""

    def look(self, *, stage: str, app: str, application: str) -> Look:
        """One look; `application` is the Argo CD name. Raises `Temporary` where it cannot."""


def judge(
    look: Look,
    *,
    release: str,
    running: str | None,
    failed: str | None,
    newer: frozenset[str],
    manual: bool,
) -> LiveVerdict:
    """What `look` means for `release`.

    `running` and `failed` are the release ids in the passports at `look.revision` and at
    `look.failed`; `newer` the releases known to have been merged into the stage after this one.
    """
    if running == release:
        return _running(look, release)
    if failed == release:
        return LiveVerdict(
            LiveState.FAILED, f"its sync failed: {look.message or 'no reason given'}"
        )
    if running in newer:
        return LiveVerdict(LiveState.OVERTAKEN, f"`{running}` runs there now")
    runs = f"`{running}` still runs" if running else _unknown(look)
    if manual:
        return LiveVerdict(
            LiveState.WAITING, f"merged, waits for a Sync of `{look.application}`; {runs}"
        )
    return LiveVerdict(LiveState.PENDING, f"merged, `{look.application}` has not synced it; {runs}")


def _unknown(look: Look) -> str:
    return "nothing runs yet" if look.health is Health.MISSING else "what runs cannot be told yet"


def _running(look: Look, release: str) -> LiveVerdict:
    if look.health is Health.HEALTHY:
        return LiveVerdict(LiveState.LIVE, f"`{look.application}` runs `{release}` and is healthy")
    if look.health is Health.DEGRADED:
        why = look.message or "no reason given"
        return LiveVerdict(LiveState.FAILED, f"`{look.application}` is degraded: {why}")
    return LiveVerdict(LiveState.PENDING, f"`{look.application}` is {look.health.value.lower()}")
