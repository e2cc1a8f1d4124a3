"""The only place that starts a program.

Arguments are a tuple, never a shell line; the child gets exactly the environment it is given and a
process group of its own, which is killed on a timeout and on the way out of an exception.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess  # noqa: TID251 - this is the one door
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gitops_ci.errors import ProcessError, Temporary

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Completed:
    """How a program ended; `code` is negative where a signal ended it."""

    argv: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: str

    @property
    def ok(self) -> bool:
        return self.code == 0

    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode("utf-8", "surrogateescape")

    def last_words(self, lines: int = 6) -> str:
        """The last lines of standard error, for a message."""
        return "\n".join(self.stderr.strip().splitlines()[-lines:])

    def check(self) -> Completed:
        """Itself where it ended well, else `ProcessError`."""
        if self.ok:
            return self
        words = self.last_words() or "it said nothing"
        raise ProcessError(f"`{' '.join(self.argv[:3])}` ended with {self.code}\n{words}")


class Running:
    """A program on its way; `wait` must be called, `with` kills what still runs."""

    def __init__(
        self,
        argv: tuple[str, ...],
        *,
        env: Mapping[str, str],
        cwd: Path | None,
        stdin: bytes | None,
    ) -> None:
        log.debug("$ %s", " ".join(argv))
        self._argv, self._stdin = argv, stdin
        try:
            self._child = subprocess.Popen(  # noqa: S603 - a tuple, no shell
                argv,
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                process_group=0,
            )
        except OSError as error:
            raise _not_started(argv, cwd, error) from error

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()

    def wait(self, timeout: float = 600.0) -> Completed:
        """Wait for its end, `timeout` in seconds; `Temporary` where that runs out."""
        try:
            out, err = self._child.communicate(self._stdin, timeout)
        except subprocess.TimeoutExpired as error:
            self._kill()
            raise Temporary(
                f"`{self._argv[0]} {self._argv[1]}` gave no answer for {timeout:.0f} s"
            ) from error
        except BaseException:
            self._kill()
            raise
        return Completed(self._argv, self._child.returncode, out, err.decode("utf-8", "replace"))

    def _kill(self) -> None:
        if self._child.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGTERM)
            _reap(self._child)
        for stream in (self._child.stdin, self._child.stdout, self._child.stderr):
            if stream:
                with suppress(OSError):
                    stream.close()


def _not_started(argv: tuple[str, ...], cwd: Path | None, error: OSError) -> ProcessError:
    if cwd and not cwd.is_dir():
        return ProcessError(f"`{argv[0]}` cannot be started: there is no directory `{cwd}`")
    if isinstance(error, FileNotFoundError):
        return ProcessError(f"`{argv[0]}` was not found on PATH", hint="install it")
    return ProcessError(f"`{argv[0]}` cannot be started: {error.strerror}")


def _reap(child: subprocess.Popen[bytes], grace: float = 2.0) -> None:
    """Give the group `grace` seconds to end, then kill it."""
    try:
        child.wait(grace)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def start(
    argv: tuple[str, ...],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: bytes | None = None,
) -> Running:
    """Start a program and go on."""
    return Running(argv, env=env, cwd=cwd, stdin=stdin)


def run(
    argv: tuple[str, ...],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: bytes | None = None,
    timeout: float = 600.0,
) -> Completed:
    """Run a program to its end, whatever its exit code is."""
    with start(argv, env=env, cwd=cwd, stdin=stdin) as child:
        return child.wait(timeout)


class Dialogue:
    """A program that answers questions on its standard input until it is closed."""

    def __init__(self, argv: tuple[str, ...], *, env: Mapping[str, str]) -> None:
        log.debug("$ %s", " ".join(argv))
        self._name = " ".join(argv[:1])
        try:
            self._child = subprocess.Popen(  # noqa: S603 - a tuple, no shell
                argv,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                process_group=0,
            )
        except OSError as error:
            raise _not_started(argv, None, error) from error

    def ask(self, question: bytes) -> bytes:
        """Write one line, read the first line of the answer, without its newline."""
        stdin, stdout = self._child.stdin, self._child.stdout
        if stdin is None or stdout is None:  # both are pipes
            raise ProcessError(f"`{self._name}` has no pipes")
        try:
            stdin.write(question + b"\n")
            stdin.flush()
        except BrokenPipeError as error:
            raise ProcessError(f"`{self._name}` ended too early") from error
        line = stdout.readline()
        if not line:
            raise ProcessError(f"`{self._name}` ended too early")
        return line[:-1]

    def read(self, size: int) -> bytes:
        """The next `size` bytes of the answer."""
        stdout = self._child.stdout
        data = stdout.read(size) if stdout else b""
        if len(data) != size:
            raise ProcessError(f"`{self._name}` ended too early")
        return data

    def close(self) -> None:
        """End it and wait for its end."""
        for stream in (self._child.stdin, self._child.stdout):
            if stream:
                with suppress(OSError):
                    stream.close()
        _reap(self._child)
