"""The pipelines of the local forge: one for each commit, its jobs played and run by others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gitops_ci.errors import Conflict, NotFound
from gitops_ci.forge import Job, JobState
from gitops_ci.forge._records import FINAL, Pipeline, moved
from gitops_ci.refstore import Document, Documents, Entry, Swap

_DIGITS = 12  # of the commit, at the front of a job's id, so that an id finds its pipeline
_RUNS = 10_000  # of one pipeline at the most


@dataclass(frozen=True, slots=True)
class Pipelines:
    """All pipelines of one project."""

    documents: Documents

    def jobs(self, commit: str) -> tuple[Job, ...]:
        found = self.documents.read(_name(commit), Pipeline)
        return found.data.jobs if found else ()

    def create(self, commit: str, jobs: Sequence[Job]) -> None:
        def change(found: Pipeline | None) -> Entry[Pipeline] | None:
            if found:
                return None
            first = int(commit[:_DIGITS], 16) * _RUNS + 1
            runs = tuple(replace(job, id=first + place) for place, job in enumerate(jobs))
            sentence = f"{self.documents.user} started a pipeline"
            return Entry(sentence, Pipeline(runs), keep=(commit,))

        self.documents.change(_name(commit), Pipeline, change)

    def play(self, number: int) -> Job:
        def start(_: Pipeline, job: Job) -> Job:
            return replace(job, state=JobState.WAITING) if job.state is JobState.MANUAL else job

        return self._change(number, "played", start)

    def report(self, number: int, state: JobState) -> Job:
        def move(_: Pipeline, job: Job) -> Job:
            if job.state is state:
                return job
            if job.state in FINAL:
                raise Conflict(f"job {number} has {job.state} already", hint="retry it")
            return moved(job, state, now=self.documents.time())

        return self._change(number, f"reported {state} of", move)

    def retry(self, number: int) -> Job:
        def repeat(pipeline: Pipeline, job: Job) -> Job:
            if job.state not in FINAL:
                raise Conflict(f"job {number} is {job.state} and has not ended")
            last = max(run.id for run in pipeline.jobs)
            return Job(last + 1, job.name, JobState.WAITING, job.allow_failure, url=job.url)

        return self._change(number, "retried", repeat)

    def _change(self, number: int, verb: str, make: Callable[[Pipeline, Job], Job]) -> Job:
        """Put in what `make` makes of the job: in its place or, with a new id, at the end."""

        def attempt() -> Job:
            document, old = self._find(number)
            new = make(document.data, old)
            if new != old:
                sentence = f"{self.documents.user} {verb} `{old.name}`"
                entry = Entry(sentence, document.data.with_(new))
                record = self.documents.record(entry, after=document.record)
                self.documents.repository.swap(Swap(document.ref, document.record, record))
            return new

        return self.documents.repository.persist(attempt)

    def _find(self, number: int) -> tuple[Document[Pipeline], Job]:
        commits = _name(f"{number // _RUNS:0{_DIGITS}x}*")
        for document in self.documents.all(commits, Pipeline):
            if job := document.data.job(number):
                return document, job
        place = self.documents.repository.project
        raise NotFound(f"there is no job {number} in `{place}`")


def _name(commit: str) -> str:
    return f"pipeline/{commit}"
