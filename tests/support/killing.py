"""Kills a command from outside before or after any of its git calls and changes of files.

The command needs no switch: a `git` first on PATH and a `sitecustomize` on PYTHONPATH count into
one append-only file and send SIGKILL. Linux only, for it reads /proc.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess  # noqa: TID251 - the rig must be apart from the door that it tests
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.support.builder import real_git

_RIG = Path(__file__).parent / "rig"
_PATIENCE = 30.0  # seconds for what a killed command left running


class Phase(StrEnum):
    """On which side of the act a point is."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. Changes of files below `quiet` are no points, for example temporary ones."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    quiet: tuple[Path, ...] = ()
    timeout: float = 120.0


@dataclass(frozen=True, slots=True)
class Point:
    """`what` is `git fetch` or `os.rename /full/path`."""

    phase: Phase
    what: str


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """A run to the end, and the points that it passed, in order."""

    code: int
    stdout: str
    stderr: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Killed:
    """A run that ended at `point`, its number being `number`, counted from 1."""

    number: int
    point: Point
    stdout: str
    stderr: str


class NotKilled(Exception):
    """The command ended by itself: the point was never reached, or hit another process."""


def run_undisturbed(command: Command) -> Undisturbed:
    """Run the command to its end and note its points."""
    return _run(command, wanted=0)


def count_points(command: Command) -> int:
    """How many points there are to kill the command at."""
    return len(run_undisturbed(command).points)


def kill_at(command: Command, n: int) -> Killed:
    """Run the command and kill it at point `n`, counted from 1; nothing of it runs on.

    `NotKilled` where it ended in another way.
    """
    assert n > 0, "points are counted from 1"
    done = _run(command, wanted=n)
    if done.code != -signal.SIGKILL or len(done.points) < n:
        raise NotKilled(
            f"point {n} of {len(done.points)}: exit code {done.code}\n{done.stderr[-2000:]}"
        )
    return Killed(n, done.points[n - 1], done.stdout, done.stderr)


def _run(command: Command, *, wanted: int) -> Undisturbed:
    with tempfile.TemporaryDirectory(prefix="rig-") as made:
        rig = _install(Path(made), wanted=wanted, quiet=command.quiet)
        with (rig / "out").open("wb") as out, (rig / "err").open("wb") as err:
            child = subprocess.Popen(
                command.argv,
                env=_environment(command.env, rig),
                cwd=command.cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            with _settled(child):
                child.wait(command.timeout)
        out_text, err_text = (
            (rig / name).read_text(encoding="utf-8", errors="replace") for name in ("out", "err")
        )
        return Undisturbed(child.returncode, out_text, err_text, tuple(_points(rig / "points")))


def _install(rig: Path, *, wanted: int, quiet: tuple[Path, ...]) -> Path:
    (rig / "bin").mkdir()
    text = (_RIG / "git.sh").read_text(encoding="utf-8")
    text = text.replace("@RIG@", shlex.quote(str(rig))).replace("@GIT@", shlex.quote(real_git()))
    (rig / "bin/git").write_text(text, encoding="utf-8")
    (rig / "bin/git").chmod(0o755)
    shutil.copyfile(_RIG / "sitecustomize.py", rig / "sitecustomize.py")
    (rig / "wanted").write_text(f"{wanted}\n", encoding="ascii")
    below = [f"{path}/" for path in (rig, *quiet)]
    (rig / "quiet").write_text("\n".join(below), encoding="utf-8")
    (rig / "points").touch()
    return rig


def _environment(env: Mapping[str, str], rig: Path) -> dict[str, str]:
    return {
        **env,
        "PATH": os.pathsep.join((str(rig / "bin"), env.get("PATH", os.defpath))),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(rig), env.get("PYTHONPATH", "")))),
    }


def _points(counter: Path) -> Iterator[Point]:
    for line in counter.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        phase, _, what = line.split("\t", 2)
        yield Point(Phase(phase), what)


@contextmanager
def _settled(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave only when nothing of the child's session runs any more."""
    try:
        yield
    except BaseException:
        _kill(child.pid)
        child.wait()
        raise
    finally:
        _outlive(child.pid)


def _outlive(session: int) -> None:
    """Wait for a session to end, kill what has no end."""
    deadline = time.monotonic() + _PATIENCE
    while _members(session):
        if time.monotonic() > deadline:
            _kill(session)
        time.sleep(0.002)


def _kill(session: int) -> None:
    for pid in _members(session):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _members(session: int) -> tuple[int, ...]:
    """The living processes of a session, whatever their process groups are."""
    names = (entry for entry in os.listdir("/proc") if entry.isdigit())  # noqa: PTH208 - 4 x faster
    return tuple(int(name) for name in names if _session(name) == session)


def _session(pid: str) -> int | None:
    try:
        text = Path("/proc", pid, "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, _, _, session = text.rpartition(")")[2].split()[:4]
    return None if state in {"Z", "X"} else int(session)
