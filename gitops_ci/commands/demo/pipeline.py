"""The dev pipeline of the demo: what a team's pipeline file would say, as data."""

from __future__ import annotations

from dataclasses import dataclass

from gitops_ci.names import live_job


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One job; without a command it is a test suite, which is played."""

    name: str
    needs: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    manual: bool = False


def _promote(stage: str, *suites: str) -> JobSpec:
    claims = tuple(word for suite in suites for word in ("--suite", f"{suite}=passed"))
    return JobSpec(f"promote-{stage}", suites, ("promote", "--stage", stage, *claims))


def _live(stage: str) -> JobSpec:
    return JobSpec(live_job(stage), (f"promote-{stage}",), ("wait", "--stage", stage), manual=True)


JOBS = (
    _promote("itg"),
    _live("itg"),
    JobSpec("integration-tests", (live_job("itg"),)),
    _promote("tst", "integration-tests"),
    _live("tst"),
    JobSpec("acceptance-tests", (live_job("tst"),)),
    JobSpec("functional-tests", (live_job("tst"),)),
    _promote("perf", "acceptance-tests", "functional-tests"),
    _live("perf"),
    JobSpec("performance-tests", (live_job("perf"),)),
    _promote("prod", "performance-tests"),
    _live("prod"),
)
