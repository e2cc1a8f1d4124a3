"""A changeset as the stream that `git fast-import` reads.

Owns the stream's words. Pure: must not know where the commit goes or what the repository holds.
"""

from __future__ import annotations

from collections.abc import Iterable

from gitops_ci.changeset import Changeset, Edit, PutFile, PutObject


def stream(change: Changeset, when: int) -> Iterable[bytes]:
    """The parts of the stream; `when` is the date of the commit, in seconds since 1970."""
    yield b"commit refs/gitops-ci/new\nmark :1\n"
    yield f"author {change.author} {when} +0000\ncommitter {change.author} {when} +0000\n".encode()
    yield _data(change.message.encode())
    yield f"from {change.parent}^0\n".encode()
    for edit in change.edits:
        yield from _edit(edit)
    yield b"\nget-mark :1\n"


def _edit(edit: Edit) -> Iterable[bytes]:
    path = _quoted(edit.path)
    if isinstance(edit, PutFile):
        yield b"M 100644 inline " + path + b"\n"
        yield _data(edit.content)
    elif isinstance(edit, PutObject):
        mode = b"040000" if edit.is_tree else b"100644"
        yield b"M " + mode + b" " + edit.oid.encode() + b" " + path + b"\n"
    else:
        yield b"D " + path + b"\n"


def _quoted(path: str) -> bytes:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return b'"%s"' % escaped.encode()


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)
