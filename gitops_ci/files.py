"""The door to the file system: scratch directories, whole writes, bounded reads.

Names that come from outside go below a root component by component, so that neither `..` nor a
symbolic link leads out of it. Knows nothing about what the files mean.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gitops_ci.errors import ConfigError, GitopsCiError, Problem, Temporary

READ_LIMIT = 16 * 1024 * 1024
WALK_FILES = 10_000
WALK_BYTES = 64 * 1024 * 1024

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_HINTS = {
    errno.EACCES: "the user that runs this job needs access to it",
    errno.EROFS: "the file system is mounted read-only: choose another directory",
}
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Tree:
    """A directory as data; `special` names its links, sockets and the like, which were not read."""

    files: Mapping[str, bytes]
    special: frozenset[str] = frozenset()


@contextmanager
def told(doing: str, path: Path | str) -> Iterator[None]:
    """Turn an `OSError` into an error that names the file; a full disk is `Temporary`."""
    try:
        yield
    except OSError as error:
        message = f"`{path}` cannot be {doing}: {(error.strerror or str(error)).lower()}"
        if error.errno in _FULL:
            raise Temporary(message, hint="free some space, then run it again") from error
        raise GitopsCiError(message, hint=_HINTS.get(error.errno or 0)) from error


@contextmanager
def scratch(parent: Path | None = None) -> Iterator[Path]:
    """A directory of our own, for its owner alone, gone when the block ends."""
    with told("made", parent or tempfile.gettempdir()):
        made = tempfile.TemporaryDirectory(
            prefix="gitops-ci-", dir=parent, ignore_cleanup_errors=True
        )
    with made as name:
        yield Path(name)


# --- writing -----------------------------------------------------------------


def write_text(path: Path, text: str) -> None:
    """Replace `path` in one step: whoever reads it sees the old text or all of the new one."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Like `write_text`; the directory must be there, the mode of an old file is kept."""
    with told("written", path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                os.fchmod(stream.fileno(), _mode(path))
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return 0o644


def write_tree(root: Path, content: Mapping[str, bytes]) -> None:
    """Write files below `root`; not in one step, and not forced to the disk."""
    for name, data in content.items():
        with told("written", root / name), _parent(root, name) as (directory, last):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            with os.fdopen(os.open(last, flags, 0o644, dir_fd=directory), "wb") as stream:
                stream.write(data)


def below(root: Path, name: str) -> Path:
    """The path of `name` below `root`, its directories made, no link on the way or at its end."""
    path = root / name
    with told("written", path), _parent(root, name) as (directory, last):
        if _is_link(last, directory):
            raise OSError(errno.ELOOP, "it is a symbolic link")
    return path


def _is_link(name: str, directory: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


@contextmanager
def _parent(root: Path, name: str) -> Iterator[tuple[int, str]]:
    """The opened directory of `name`, reached without following a link, and its last part."""
    *parents, last = _parts(name)
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parents:
            with suppress(FileExistsError):
                os.mkdir(part, dir_fd=directory)
            deeper = os.open(part, _DIRECTORY, dir_fd=directory)
            os.close(directory)
            directory = deeper
        yield directory, last
    finally:
        os.close(directory)


def _parts(name: str) -> list[str]:
    parts = name.split("/")
    if "\0" in name or any(part in {"", ".", ".."} for part in parts):
        raise GitopsCiError(f"`{name!r}` leads out of the directory that it belongs to")
    return parts


# --- reading -----------------------------------------------------------------


def read_bytes(path: Path, *, limit: int = READ_LIMIT) -> bytes:
    """The content of a regular file of at the most `limit` bytes; `ConfigError` where missing."""
    try:
        with told("read", path):
            return _read(path, limit)
    except GitopsCiError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise ConfigError(Problem(str(path), 0, "", "does not exist")) from error
        raise


def read_text(path: Path, *, limit: int = READ_LIMIT) -> str:
    """Like `read_bytes`, as text with its line endings and byte order mark as they are."""
    try:
        return read_bytes(path, limit=limit).decode()
    except UnicodeDecodeError as error:
        raise ConfigError(Problem(str(path), 0, "", "is not UTF-8")) from error


def _read(path: Path, limit: int) -> bytes:
    # without O_NONBLOCK a named pipe would block here for ever
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        with os.fdopen(handle, "rb", closefd=False) as stream:
            content = stream.read(limit + 1)
    finally:
        os.close(handle)
    if len(content) > limit:
        raise GitopsCiError(f"`{path}` is larger than the {limit} bytes that are allowed")
    return content


def walk(
    root: Path,
    *,
    files: int = WALK_FILES,
    size: int = WALK_BYTES,
    closed: Collection[str] = (".git",),
) -> Tree:
    """All files below `root` by their posix path.

    Links are never followed. A directory whose name is in `closed` is named in `special` and not
    entered. More than `files` files or `size` bytes are refused.
    """
    found: dict[str, bytes] = {}
    special: set[str] = set()
    left = size
    for name, entry in _entries(root, "", closed):
        if not entry.is_file(follow_symlinks=False):
            special.add(name)
            continue
        with told("read", entry.path):
            left -= entry.stat(follow_symlinks=False).st_size
        if len(found) == files or left < 0:
            raise GitopsCiError(f"`{root}` holds more than {files} files or {size} bytes")
        found[name] = read_bytes(Path(entry.path), limit=size)
    return Tree(found, frozenset(special))


def _entries(
    directory: Path, prefix: str, closed: Collection[str]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything below but the directories that are entered, in the order of the names."""
    with told("read", directory), os.scandir(directory) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        name = prefix + entry.name
        if entry.is_dir(follow_symlinks=False) and entry.name not in closed:
            yield from _entries(Path(entry.path), f"{name}/", closed)
        else:
            yield name, entry


def append_text(path: Path, text: str) -> None:
    """Add to the end of a file that others write too; it is made where it is missing."""
    with told("written", path), path.open("a", encoding="utf-8") as stream:
        stream.write(text)


def is_full(error: OSError) -> bool:
    """Whether an error says that there is no room left."""
    return error.errno in _FULL


def is_empty(path: Path) -> bool:
    """Whether a directory holds nothing, or is not there."""
    with told("read", path):
        return not path.exists() or not any(path.iterdir())


def make_directory(path: Path) -> None:
    """Make a directory, and those above it; one that is there is fine."""
    with told("made", path):
        path.mkdir(parents=True, exist_ok=True)


def remove_tree(path: Path) -> None:
    """Remove a directory with everything in it; one that is not there is fine."""
    with told("removed", path), suppress(FileNotFoundError):
        shutil.rmtree(path)
