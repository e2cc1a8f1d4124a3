"""Files and commits for tests, made by the real git and the same to the last bit on every machine.

Owns the isolated environment that every git of the test support runs in. Knows nothing about
gitops-ci.
"""

from __future__ import annotations

import os
import shutil
import subprocess  # noqa: TID251 - the test support's own door, apart from the one under test
from collections.abc import Iterable, Mapping
from pathlib import Path

FROZEN = 1_767_323_045  # 2026-01-02T03:04:05Z, the date of every commit that names none
AUTHOR = "Dev Eloper <dev@example.com>"

Files = Mapping[str, str | bytes | None]
"""Content by path; None removes the path."""


def real_git() -> str:
    """The absolute path of the git that tests stand on."""
    found = shutil.which("git", path=_PATH)
    assert found, "git is not on PATH"
    return found


_PATH = os.environ.get("PATH", os.defpath)  # before a test puts wrappers in front


def isolated_env(**more: str) -> dict[str, str]:
    """An environment without home, machine configuration, prompts, local time or language."""
    name, email = AUTHOR.removesuffix(">").split(" <")
    stamp = f"{FROZEN} +0000"
    return {
        "PATH": _PATH,
        "LC_ALL": "C",
        "TZ": "UTC",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_AUTHOR_DATE": stamp,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": email,
        "GIT_COMMITTER_DATE": stamp,
        **more,
    }


def git_config(settings: Iterable[tuple[str, str]]) -> dict[str, str]:
    """git settings as environment variables: no file, and the word of the administrator."""
    pairs = tuple(settings)
    env = {"GIT_CONFIG_COUNT": str(len(pairs))}
    for number, (key, value) in enumerate(pairs):
        env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return env


def run_git(
    *arguments: str | Path,
    cwd: Path | None = None,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run git to its end, whatever its exit code is."""
    return subprocess.run(
        [real_git(), *map(str, arguments)],
        cwd=cwd,
        env=isolated_env() if env is None else dict(env),
        input=stdin,
        capture_output=True,
        check=False,
    )


def git(
    *arguments: str | Path,
    cwd: Path | None = None,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
) -> str:
    """The trimmed standard output of a git that must end well."""
    done = run_git(*arguments, cwd=cwd, stdin=stdin, env=env)
    assert done.returncode == 0, f"git {arguments}: {done.stderr.decode(errors='replace')}"
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def write_tree(files: Mapping[str, str | bytes], root: Path) -> Path:
    """Write files below `root`, directories as needed, line ends as they are."""
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_bytes(content))
    return root


def init(path: Path, *, bare: bool = True, branch: str = "main") -> Path:
    """A new repository without hooks or template."""
    kind = ("--bare",) if bare else ()
    git("init", "--quiet", *kind, "--template=", f"--initial-branch={branch}", path)
    return path


def commit(
    repo: Path,
    files: Files,
    message: str = "change",
    *,
    branch: str = "main",
    start: str | None = None,
    modes: Mapping[str, str] | None = None,
    author: str = AUTHOR,
    when: int = FROZEN,
) -> str:
    """Commit `files` on top of `branch` and give the commit's id.

    A branch that is not there begins at `start`, else without a parent. `modes` has what is not
    a plain file (`120000` for a symbolic link, its target being the content). In a repository
    with a work tree the branch is checked out afterwards.
    """
    ref = f"refs/heads/{branch}"
    parent = _resolve(repo, ref) or (start and _resolve(repo, start)) or ""
    git(
        "fast-import",
        "--quiet",
        "--date-format=raw",
        cwd=repo,
        stdin=_stream(files, message, ref=ref, parent=parent, modes=modes, who=(author, when)),
    )
    if (repo / ".git").exists():
        git("checkout", "--quiet", "--force", "-B", branch, ref, "--", cwd=repo)
    return git("rev-parse", "--verify", ref, cwd=repo)


def _stream(
    files: Files,
    message: str,
    *,
    ref: str,
    parent: str,
    modes: Mapping[str, str] | None,
    who: tuple[str, int],
) -> bytes:
    author, when = who
    head = f"commit {ref}\nauthor {author} {when} +0000\ncommitter {author} {when} +0000\n"
    lines = [head.encode(), data(message)]
    if parent:
        lines.append(f"from {parent}\n".encode())
    for path, content in files.items():
        if content is None:
            lines.append(b"D %s\n" % quoted(path))
        else:
            mode = (modes or {}).get(path, "100644").encode()
            lines += [b"M %s inline %s\n" % (mode, quoted(path)), data(content)]
    return b"".join([*lines, b"\n"])


def data(content: str | bytes) -> bytes:
    """A data block of `git fast-import`."""
    raw = _bytes(content)
    return b"data %d\n%s\n" % (len(raw), raw)


def quoted(path: str) -> bytes:
    """A path as `git fast-import` reads it, whatever it is made of."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return b'"%s"' % escaped.encode("utf-8", "surrogateescape")


def _resolve(repo: Path, revision: str) -> str:
    found = run_git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", cwd=repo)
    return found.stdout.decode().strip()


def _bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
