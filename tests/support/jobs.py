"""Jobs of a pipeline as real child processes, each alone or all released at the same moment.

Knows how to start and to wait; what a job does is the caller's.
"""

from __future__ import annotations

import json
import os
import subprocess  # noqa: TID251 - tests start the program from outside
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAM = (sys.executable, "-m", "gitops_ci")

_PATIENCE = 120.0  # seconds
_GATED = """\
import os, sys
from gitops_ci.__main__ import main
from gitops_ci.cli import dev
from gitops_ci.forge import local
ready, gate = map(int, sys.argv[1:3])
del sys.argv[1:3]
os.write(ready, b".")
os.read(gate, 1)
main()
"""


@dataclass(frozen=True, slots=True)
class Job:
    """One call of the program; `prefix` is a program that becomes it (`nice`, `sh -c ...`)."""

    args: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    umask: int = -1
    prefix: tuple[str, ...] = ()
    streams: Mapping[str, Any] = field(default_factory=dict)  # of Popen, instead of pipes


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended; the code is negative where a signal ended it."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


def run(job: Job) -> Ended:
    """Run one job to its end."""
    return _ended(_start(job, PROGRAM, pass_fds=()))


def at_once(jobs: Sequence[Job]) -> tuple[Ended, ...]:
    """Start all, let go of them when the last one is ready, and wait for all."""
    with ExitStack() as stack:
        ready, gate = (_pipe(stack) for _ in range(2))
        fds = (ready[1].fileno(), gate[0].fileno())
        program = (sys.executable, "-c", _GATED, *map(str, fds))
        children = [_start(job, program, pass_fds=fds) for job in jobs]
        ready[1].close()
        waiting = len(jobs)
        while waiting and (arrived := ready[0].read(waiting)):
            waiting -= len(arrived)
        gate[1].close()
        return tuple(map(_ended, children))


def _pipe(stack: ExitStack) -> tuple[Any, Any]:
    reading, writing = os.pipe()
    return (
        stack.enter_context(os.fdopen(reading, "rb", buffering=0)),
        stack.enter_context(os.fdopen(writing, "wb", buffering=0)),
    )


def _start(job: Job, program: Sequence[str], *, pass_fds: tuple[int, ...]) -> subprocess.Popen[str]:
    pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(
        [*job.prefix, *program, *job.args],
        env=dict(job.env),
        cwd=job.cwd,
        umask=job.umask,
        pass_fds=pass_fds,
        text=True,
        **{"stdin": subprocess.DEVNULL, **pipes, **job.streams},
    )


def _ended(child: subprocess.Popen[str]) -> Ended:
    with child:
        try:
            out, err = child.communicate(timeout=_PATIENCE)
        except BaseException:
            child.kill()
            raise
    return Ended(child.returncode, out or "", err or "")
