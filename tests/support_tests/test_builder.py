"""The builder makes the same bits wherever it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.builder import commit, git, init, isolated_env, write_tree


def test_the_same_commits_have_the_same_ids_in_two_repositories(tmp_path: Path) -> None:
    def build(name: str) -> str:
        repo = init(tmp_path / name)
        commit(repo, {"a.txt": "1\n", "b/c.txt": "2\n"}, "one")
        return commit(repo, {"a.txt": None, "b/d.txt": "3\n"}, "two")

    assert build("x.git") == build("y.git")


def test_a_commit_adds_changes_and_removes(tmp_path: Path) -> None:
    repo = init(tmp_path / "r.git")
    first = commit(repo, {"a": "1", "b": "2"}, "one")
    second = commit(repo, {"a": None, "b": "3", "c": "4"}, "two")
    assert git("rev-parse", f"{second}^", cwd=repo) == first
    changes = git("diff-tree", "-r", "--name-status", first, second, cwd=repo)
    assert changes.split() == ["D", "a", "M", "b", "A", "c"]


def test_a_new_branch_begins_where_it_is_told_to(tmp_path: Path) -> None:
    repo = init(tmp_path / "r.git")
    base = commit(repo, {"a": "1"}, "one")
    commit(repo, {"a": "2"}, "two")
    tip = commit(repo, {"b": "1"}, "aside", branch="aside", start=base)
    assert git("rev-parse", f"{tip}^", cwd=repo) == base


@pytest.mark.parametrize(
    "name", ["with space", 'quo"te', "back\\slash", "new\nline", "größe", "-x"]
)
def test_a_path_may_be_made_of_anything(tmp_path: Path, name: str) -> None:
    repo = init(tmp_path / "r.git")
    commit(repo, {f"dir/{name}": "here\n"})
    listed = git("ls-tree", "-r", "-z", "--name-only", "main", cwd=repo)
    assert listed.rstrip("\0") == f"dir/{name}"


def test_a_symbolic_link_keeps_its_mode(tmp_path: Path) -> None:
    repo = init(tmp_path / "r.git")
    commit(repo, {"link": "/etc/passwd"}, modes={"link": "120000"})
    assert git("ls-tree", "main", cwd=repo).startswith("120000 blob")


def test_a_work_tree_shows_what_was_committed(tmp_path: Path) -> None:
    repo = init(tmp_path / "dev", bare=False)
    commit(repo, {"deploy/values.yaml": "a: 1\r\n"})
    assert (repo / "deploy/values.yaml").read_bytes() == b"a: 1\r\n"
    assert git("status", "--porcelain", cwd=repo) == ""


def test_write_tree_keeps_line_ends_and_bytes(tmp_path: Path) -> None:
    write_tree({"a/b.txt": "x\r\ny\n", "c": b"\xff\x00"}, tmp_path)
    assert (tmp_path / "a/b.txt").read_bytes() == b"x\r\ny\n"
    assert (tmp_path / "c").read_bytes() == b"\xff\x00"


def test_git_sees_no_configuration_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = Machine\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Environment")
    repo = init(tmp_path / "r.git")
    commit(repo, {"a": "1"})
    assert "HOME" not in isolated_env()
    assert git("log", "-1", "--format=%an %ad", "--date=iso", cwd=repo) == (
        "Dev Eloper 2026-01-02 03:04:05 +0000"
    )
