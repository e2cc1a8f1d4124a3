"""Starts a stage's tests: plays the live job of the release's own dev pipeline, once."""

from __future__ import annotations

from gitops_ci.forge import Forge, Job, JobState


def play(dev: Forge, commit: str, name: str) -> Job | None:
    """Play the newest run of the job if it still waits for it; None where there is no such job."""
    runs = [job for job in dev.jobs(commit) if job.name == name]
    if not runs:
        return None
    newest = max(runs, key=lambda job: job.id)
    return dev.play(newest) if newest.state is JobState.MANUAL else newest
