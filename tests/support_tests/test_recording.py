"""The recorder loses nothing, and the judge tells good calls from bad ones."""

from __future__ import annotations

import os
import subprocess  # noqa: TID251 - the recorder is for programs outside
from pathlib import Path

import pytest

from tests.support.builder import commit, git, init, isolated_env, run_git
from tests.support.recording import LOG_VARIABLE, faults, install, recorded_calls

OID = "4be1c07d2a91" + "0" * 28
EOO = "--end-of-options"


def environment(directory: Path, **more: str) -> dict[str, str]:
    env = isolated_env(**more)
    return {**env, "PATH": f"{directory}{os.pathsep}{env['PATH']}"}


def call(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = ("git", *arguments)
    return subprocess.run(argv, env=env, capture_output=True, text=True)


def test_calls_are_recorded_whole_and_in_order(tmp_path: Path) -> None:
    env = environment(install(tmp_path / "bin", tmp_path / "log"))
    calls = (("--version",), ("init", "-q", "--template=", "", "two words"), ("log", "a\nb"), ())
    for arguments in calls:
        call(env, *arguments)
    assert recorded_calls(tmp_path / "log") == calls


def test_the_real_git_answers_through_the_wrapper(tmp_path: Path) -> None:
    env = environment(install(tmp_path / "bin", tmp_path / "log"))
    assert call(env, "--version").stdout.startswith("git version")
    assert call(env, "no-such-thing").returncode == run_git("no-such-thing").returncode != 0


def test_the_variable_chooses_another_log(tmp_path: Path) -> None:
    other = tmp_path / "other"
    directory = install(tmp_path / "bin", tmp_path / "log")
    call(environment(directory, **{LOG_VARIABLE: str(other)}), "version")
    assert recorded_calls(other) == (("version",),)
    assert recorded_calls(tmp_path / "log") == ()


def test_calls_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    env = environment(install(tmp_path / "bin", tmp_path / "log"))
    long = "x" * 2000
    children = [
        subprocess.Popen(("git", "version", f"{n}", long), env=env, stdout=subprocess.DEVNULL)
        for n in range(20)
    ]
    assert [child.wait() for child in children] == [0] * 20
    assert set(recorded_calls(tmp_path / "log")) == {("version", f"{n}", long) for n in range(20)}


def test_what_git_calls_itself_is_not_recorded(tmp_path: Path) -> None:
    origin = init(tmp_path / "origin.git")
    commit(origin, {"a": "1"})
    env = environment(install(tmp_path / "bin", tmp_path / "log"))
    call(env, "clone", "--quiet", EOO, origin.as_uri(), str(tmp_path / "clone"))
    assert [words[0] for words in recorded_calls(tmp_path / "log")] == ["clone"]


GOOD = [
    (),
    ("--version",),
    ("init", "--quiet", "--bare", "-b", "main", EOO, "/tmp/x"),
    ("-C", "/tmp/x", "-c", "gc.auto=0", "fetch", "--depth", "1", EOO, "origin", "refs/heads/main"),
    ("fetch", "--filter=tree:0", EOO, "origin", OID),
    ("fetch", EOO, "origin", "+refs/heads/promote/tst/a/*:refs/remotes/origin/*"),
    (
        "push",
        "--porcelain",
        "--force-with-lease=refs/heads/x:",
        EOO,
        "origin",
        f"{OID}:refs/heads/x",
    ),
    ("push", EOO, "origin", ":refs/heads/gone"),
    ("ls-remote", "--symref", EOO, "https://example.com/ops.git", "HEAD", "refs/heads/*"),
    ("ls-tree", "-z", "-r", EOO, OID, "environments/tst"),
    ("ls-tree", "-z", EOO, f"{OID}:environments", "--", "-odd"),
    ("cat-file", "commit", EOO, OID),
    ("cat-file", "-e", EOO, f"{OID}^{{tree}}"),
    ("cat-file", "--batch"),
    ("rev-parse", "--verify", "--quiet", EOO, "refs/heads/main^{commit}"),
    ("rev-parse", "--git-dir"),
    ("fast-import", "--quiet", "--done"),
    ("for-each-ref", "--count", "5", "--format=%(refname)", EOO, "refs/heads/promote/"),
    ("update-ref", "--stdin"),
    ("update-ref", "-m", "why", EOO, "refs/gitops-ci/x", OID, ""),
    ("commit-tree", "-p", OID, "-m", "main", EOO, OID),
    ("mktree", "-z", "--missing"),
    ("merge-tree", "--write-tree", "-z", EOO, "refs/heads/main", OID),
    ("merge-base", "--is-ancestor", EOO, OID, "refs/heads/main"),
    ("hash-object", "-w", "--stdin"),
    ("hash-object", "-w", EOO, "file"),
    ("rev-list", "-n", "1", EOO, "refs/heads/main", f"^{OID}"),
    ("rev-list", EOO, f"{OID}..refs/heads/main", "--", "path"),
    ("diff-tree", "-r", "-z", EOO, f"{OID}^1", OID),
    ("log", "--format=%H", "-n", "3", EOO, "HEAD", "--", "main"),
    ("config", "--file", "x", EOO, "user.name", "value"),
    ("symbolic-ref", EOO, "HEAD", "refs/heads/main"),
    ("http-backend",),
]


@pytest.mark.parametrize("words", GOOD, ids=lambda words: " ".join(words)[:40])
def test_a_good_call_has_no_fault(words: tuple[str, ...]) -> None:
    assert faults(words) == ()


BAD = [
    (("fetch", "origin", "refs/heads/main"), f"without `{EOO}`"),
    (("fetch", "origin", EOO, "refs/heads/main"), f"without `{EOO}`"),
    (("-C", "x", "push", "origin", f"{OID}:refs/heads/x"), f"without `{EOO}`"),
    (("cat-file", "commit", OID), f"without `{EOO}`"),
    (("init", "--bare", "/tmp/x"), f"without `{EOO}`"),
    (("config", "user.name", "value"), f"without `{EOO}`"),
    (("fetch", EOO, "--upload-pack=touch /tmp/p", "refs/heads/x"), "looks like an option"),
    (("ls-tree", EOO, OID, "-r"), "looks like an option"),
    (("fetch", EOO, "origin", "main"), "`main` is not a full refspec"),
    (("fetch", EOO, "origin", "refs/heads/a:b"), "is not a full refspec"),
    (("fetch", EOO, "origin", ":"), "is not a full refspec"),
    (("push", EOO, "origin", "HEAD:main"), "is not a full refspec"),
    (("push", "--force-with-lease=main:", EOO, "origin", f"{OID}:refs/heads/main"), "full ref"),
    (("ls-remote", EOO, "origin", "main"), "is not a full pattern"),
    (("ls-tree", EOO, "main"), "is not a full revision"),
    (("ls-tree", EOO, "main:environments"), "is not a full revision"),
    (("rev-parse", "--verify", EOO, OID[:12]), "is not a full revision"),
    (("rev-parse", EOO, OID), "`--verify`"),
    (("rev-list", EOO, f"{OID}..main"), "is not a full revision"),
    (("rev-list", EOO, "^main"), "is not a full revision"),
    (("commit-tree", "-p", "main", EOO, OID), "is not a full revision"),
    (("for-each-ref", "--contains", "main", EOO, "refs/heads/"), "is not a full revision"),
    (("update-ref", EOO, "main", OID), "is not a full ref"),
    (("symbolic-ref", EOO, "HEAD", "main"), "is not a full ref"),
    (("merge-base", EOO, "refs/heads/main", "@{u}"), "is not a full revision"),
    (("fast-import", EOO), "does not take"),
    (("bisect", "start"), "grammar"),
]


@pytest.mark.parametrize(("words", "fault"), BAD, ids=lambda value: str(value)[:50])
def test_a_bad_call_is_told_by_its_fault(words: tuple[str, ...], fault: str) -> None:
    found = faults(words)
    assert any(fault in text for text in found), found


GUARDED = [
    ("ls-tree", EOO, "{oid}"),
    ("cat-file", "commit", EOO, "{oid}"),
    ("cat-file", "-t", EOO, "{oid}"),
    ("rev-parse", "--verify", EOO, "{oid}"),
    ("rev-list", EOO, "{oid}"),
    ("log", "--oneline", EOO, "{oid}"),
    ("show", EOO, "{oid}"),
    ("diff-tree", "-r", EOO, "{oid}"),
    ("merge-base", EOO, "{oid}", "{oid}"),
    ("merge-tree", "--write-tree", EOO, "{oid}", "{oid}"),
    ("commit-tree", "-m", "x", EOO, "{oid}^{{tree}}"),
    ("for-each-ref", EOO, "refs/heads/"),
    ("show-ref", EOO, "refs/heads/main"),
    ("symbolic-ref", EOO, "HEAD"),
    ("update-ref", EOO, "refs/heads/new", "{oid}"),
    ("config", "--get", EOO, "core.bare"),
    ("hash-object", EOO, "HEAD"),
    ("archive", EOO, "{oid}"),
    ("ls-remote", EOO, ".", "refs/heads/main"),
    ("fetch", EOO, ".", "refs/heads/main"),
    ("push", EOO, ".", "{oid}:refs/heads/pushed"),
    ("init", "--bare", EOO, "inner.git"),
    ("mktree", EOO),
    ("write-tree", EOO),
    ("pack-refs", EOO),
    ("gc", EOO),
    ("fsck", EOO),
]


@pytest.mark.parametrize("words", GUARDED, ids=lambda words: words[0])
def test_git_takes_the_guard_where_the_judge_demands_it(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    repo = init(tmp_path / "r.git")
    oid = commit(repo, {"a": "1"})
    filled = tuple(word.format(oid=oid) for word in words)
    assert EOO not in git(*filled, cwd=repo)
    assert faults(filled) == ()


@pytest.mark.parametrize(
    "name", ["fast-import", "check-ref-format", "index-pack", "unpack-objects", "var", "credential"]
)
def test_git_refuses_the_guard_where_the_judge_forbids_it(tmp_path: Path, name: str) -> None:
    repo = init(tmp_path / "r.git")
    assert run_git(name, EOO, "refs/heads/main", cwd=repo).returncode != 0
    assert faults((name, EOO)) == (f"`{name}` does not take `{EOO}`",)
