"""Turns a claim into a fact: reads the suite's own job in the release's own pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gitops_ci.forge import Forge, Job, JobState
from gitops_ci.passports import Result


@dataclass(frozen=True, slots=True)
class Finding:
    """A suite's final result, or None and what is in the way of one."""

    result: Result | None
    message: str


@dataclass(frozen=True, slots=True)
class Span:
    """While the release was live in the stage; `end` None: it still is."""

    begin: datetime
    end: datetime | None


def verify(dev: Forge, commit: str, suite: str, *, live: Span) -> Finding:
    """What the newest run of the job says; it counts only while the release was live."""
    jobs = dev.jobs(commit)
    runs = [job for job in jobs if job.name == suite]
    if not runs:
        there = ", ".join(sorted({f"`{job.name}`" for job in jobs})) or "none at all"
        return Finding(
            None, f"there is no job `{suite}` in the pipeline of {commit[:12]}; there are {there}"
        )
    return _judge(max(runs, key=lambda job: job.id), live)


def _judge(job: Job, live: Span) -> Finding:
    if job.allow_failure:
        return Finding(None, f"`{job.name}` may fail, so its result says nothing")
    if job.state not in {JobState.PASSED, JobState.FAILED}:
        return Finding(None, f"`{job.name}` is {job.state}")
    if job.started is None or job.started < live.begin:
        return Finding(None, f"`{job.name}` ran before the release was live")
    if live.end and (job.finished is None or job.finished > live.end):
        return Finding(None, f"`{job.name}` ran while another release was taking over")
    if job.state is JobState.FAILED:
        return Finding(Result.FAILED, f"`{job.name}` failed")
    return Finding(Result.PASSED, f"`{job.name}` passed")
