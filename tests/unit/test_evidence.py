"""What a job of the dev pipeline proves; the jobs are a local forge's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gitops_ci.evidence import Span, verify
from gitops_ci.forge import Job, JobState
from gitops_ci.forge.local import LocalForge
from gitops_ci.passports import Result
from tests.support.builder import commit
from tests.support.promotions import NOON, SUITE

HOUR = timedelta(hours=1)


@dataclass
class Pipeline:
    """The pipeline of one commit, and a clock that the test sets."""

    root: Path
    time: datetime = NOON

    def __post_init__(self) -> None:
        self.forge = LocalForge.create(self.root, "shop/web", user="ci", now=lambda: self.time)
        self.commit = commit(self.root / "shop" / "web.git", {"app.py": "x = 1\n"})

    def make(self, *jobs: Job) -> Pipeline:
        self.forge.create_pipeline(self.commit, jobs)
        return self

    def run(self, state: JobState, *, begin: datetime = NOON, end: datetime = NOON) -> Pipeline:
        """The newest job starts at `begin` and reaches `state` at `end`."""
        self.time, job = begin, self.forge.jobs(self.commit)[-1]
        self.forge.set_job(job.id, JobState.RUNNING)
        self.time = end
        if state is not JobState.RUNNING:
            self.forge.set_job(job.id, state)
        return self

    def retry(self) -> Pipeline:
        self.forge.retry(self.forge.jobs(self.commit)[-1].id)
        return self

    def said(self, *, begin: datetime = NOON, end: datetime | None = None) -> Result | None:
        return verify(self.forge, self.commit, SUITE, live=Span(begin, end)).result

    def told(self) -> str:
        return verify(self.forge, self.commit, SUITE, live=Span(NOON, None)).message


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path)


def job(name: str = SUITE, **more: bool) -> Job:
    return Job(0, name, JobState.WAITING, **more)


@pytest.mark.parametrize(
    ("state", "result"),
    [
        (JobState.PASSED, Result.PASSED),
        (JobState.FAILED, Result.FAILED),
        (JobState.CANCELED, None),
        (JobState.SKIPPED, None),
        (JobState.RUNNING, None),
    ],
)
def test_only_a_job_that_passed_or_failed_is_a_result(
    pipeline: Pipeline, state: JobState, result: Result | None
) -> None:
    assert pipeline.make(job()).run(state).said() is result
    assert f"`{SUITE}`" in pipeline.told()


def test_a_job_that_has_not_begun_is_no_result(pipeline: Pipeline) -> None:
    pipeline.make(job())
    assert pipeline.said() is None
    assert "waiting" in pipeline.told()


@pytest.mark.parametrize("state", [JobState.PASSED, JobState.FAILED])
def test_a_job_that_may_fail_says_nothing(pipeline: Pipeline, state: JobState) -> None:
    assert pipeline.make(job(allow_failure=True)).run(state).said() is None
    assert "may fail" in pipeline.told()


def test_a_missing_job_is_named_with_those_that_are_there(pipeline: Pipeline) -> None:
    pipeline.make(job("build"), job("integration-test"))
    assert pipeline.said() is None
    said = pipeline.told()
    assert all(f"`{name}`" in said for name in (SUITE, "build", "integration-test"))
    assert pipeline.commit[:12] in said


def test_a_commit_without_a_pipeline_has_no_evidence(pipeline: Pipeline) -> None:
    assert pipeline.said() is None
    assert "none at all" in pipeline.told()


@pytest.mark.parametrize("state", [JobState.PASSED, JobState.FAILED])
def test_a_job_counts_only_while_the_release_was_live(pipeline: Pipeline, state: JobState) -> None:
    pipeline.make(job()).run(state, begin=NOON + HOUR, end=NOON + 2 * HOUR)
    during = Result.PASSED if state is JobState.PASSED else Result.FAILED
    assert pipeline.said(begin=NOON) is during
    assert pipeline.said(begin=NOON + HOUR, end=NOON + 2 * HOUR) is during
    assert pipeline.said(begin=NOON + 1.5 * HOUR) is None
    assert pipeline.said(begin=NOON, end=NOON + 1.5 * HOUR) is None
    assert pipeline.said(begin=NOON, end=NOON + HOUR / 2) is None


@pytest.mark.parametrize(
    ("first", "second", "result"),
    [
        (JobState.FAILED, JobState.PASSED, Result.PASSED),
        (JobState.PASSED, JobState.FAILED, Result.FAILED),
        (JobState.PASSED, JobState.CANCELED, None),
        (JobState.PASSED, JobState.RUNNING, None),
    ],
)
def test_of_several_runs_the_newest_counts(
    pipeline: Pipeline, first: JobState, second: JobState, result: Result | None
) -> None:
    assert pipeline.make(job()).run(first).retry().run(second).said() is result


def test_a_suite_is_found_by_its_exact_name(pipeline: Pipeline) -> None:
    pipeline.make(job(f"{SUITE}-2")).run(JobState.PASSED)
    assert pipeline.said() is None
