"""Counts one point before and one after each change of a file, and kills its own process at one.

Python imports it at its start, before the program, from the directory that also has the counter.
An audit hook speaks only before the act: at a point *after*, the hook itself does what was asked
for and then kills, which leaves the disk as that moment leaves it.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_RIG = Path(__file__).parent
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FOREIGN = ("__pycache__", "site-packages")
_QUIET = tuple(filter(None, (_RIG / "quiet").read_text(encoding="utf-8").split("\n")))
_WANTED = int((_RIG / "wanted").read_text(encoding="ascii"))
_POINTS = os.open(_RIG / "points", os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)

Act = Callable[[], object]


class _Hook:
    """Deaf to what it does itself."""

    def __init__(self) -> None:
        self._busy = False
        self._seen = 0

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self._busy or event not in _ACTS:
            return
        self._busy = True
        try:
            self._notice(event, arguments)
        finally:
            self._busy = False

    def _notice(self, event: str, arguments: tuple[object, ...]) -> None:
        found = _ACTS[event](*arguments)
        if found is None:
            return
        path, act = found
        if any(part in path for part in _FOREIGN) or path.startswith(("/dev/", "/proc/", *_QUIET)):
            return
        what = f"{event} {path}".replace("\n", " ")
        if self._point("before", what):
            os.kill(os.getpid(), signal.SIGKILL)
        if self._point("after", what):
            with suppress(OSError):
                act()
            os.kill(os.getpid(), signal.SIGKILL)

    def _point(self, phase: str, what: str) -> bool:
        """Whether this point is the wanted one: its number is the place of its own line."""
        self._seen += 1
        mine = f"{phase}\t{os.getpid()}.{self._seen}\t{what}".encode("utf-8", "surrogateescape")
        os.write(_POINTS, mine + b"\n")
        if not _WANTED:
            return False
        lines = os.pread(_POINTS, os.fstat(_POINTS).st_size, 0).split(b"\n")
        return lines.index(mine) + 1 == _WANTED


def _full(path: object, directory: object = -1) -> str:
    text = os.fsdecode(path)  # type: ignore[arg-type]
    if text.startswith("/"):
        return text
    at = directory if isinstance(directory, int) and directory >= 0 else None
    return str(Path("/proc/self/cwd" if at is None else f"/proc/self/fd/{at}").readlink() / text)


def _opened(path: object, mode: str | None, flags: int) -> tuple[str, Act] | None:
    if isinstance(path, int) or path is None or not flags & _WRITES:
        return None
    full = _full(path)
    return full, lambda: os.open(full, flags, 0o666 if mode else 0o600)


def _moved(source: object, target: object, at: int, to: int) -> tuple[str, Act]:
    old, new = _full(source, at), _full(target, to)
    return new, lambda: Path(old).replace(new)


def _linked(source: object, target: object, at: int, to: int) -> tuple[str, Act]:
    old, new = _full(source, at), _full(target, to)
    return new, lambda: Path(new).hardlink_to(old)


def _pointed(source: object, target: object, to: int) -> tuple[str, Act]:
    new = _full(target, to)
    return new, lambda: Path(new).symlink_to(os.fsdecode(source))  # type: ignore[arg-type]


def _removed(path: object, at: int) -> tuple[str, Act]:
    full = _full(path, at)
    return full, lambda: Path(full).unlink()


def _made(path: object, mode: int, at: int) -> tuple[str, Act]:
    full = _full(path, at)
    return full, lambda: Path(full).mkdir(mode)


def _unmade(path: object, at: int) -> tuple[str, Act]:
    full = _full(path, at)
    return full, lambda: Path(full).rmdir()


def _cut(path: object, length: int) -> tuple[str, Act] | None:
    if isinstance(path, int):
        return None
    full = _full(path)
    return full, lambda: os.truncate(full, length)


_ACTS: dict[str, Callable[..., tuple[str, Act] | None]] = {
    "open": _opened,
    "os.rename": _moved,
    "os.link": _linked,
    "os.symlink": _pointed,
    "os.remove": _removed,
    "os.mkdir": _made,
    "os.rmdir": _unmade,
    "os.truncate": _cut,
}

sys.addaudithook(_Hook())
