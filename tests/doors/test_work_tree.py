"""What of a checkout is not as it is committed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_ci.errors import GitError
from gitops_ci.git import WorkTree
from tests.support import builder

FILES = {
    "a": "one\n",
    "b": "one\n",
    "deploy/values.yaml": "a: 1\n",
    "deploy/more/x y": "one\n",
    ".gitignore": "ignored\nbuild/\n",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    path = builder.init(tmp_path / "a b" / "checkout", bare=False)
    builder.commit(path, FILES)
    return path


def tree_at(folder: Path, **env: str) -> WorkTree:
    tree = WorkTree.at(folder, builder.isolated_env(**env))
    assert tree
    return tree


def test_nothing_differs_in_a_fresh_checkout(checkout):
    assert tree_at(checkout).changed([*FILES, "deploy", ".", "absent"]) == ()


def test_nothing_is_asked_about_nothing(checkout):
    (checkout / "new").write_text("x")
    assert tree_at(checkout).changed([]) == ()


def test_only_the_paths_that_were_asked_about_are_told(checkout):
    (checkout / "a").write_text("two\n")
    (checkout / "b").write_text("two\n")
    assert tree_at(checkout).changed(["b", "deploy"]) == ("b",)


@pytest.mark.parametrize("path", ["a", "new", "ignored", "build/x", "-x", "*", "ü\n\"'", ":(top)a"])
def test_what_is_written_differs_whatever_its_name_is(path, checkout):
    builder.write_tree({path: "two\n"}, checkout)
    assert tree_at(checkout).changed(["b", path]) == (path,)


def test_a_pattern_is_a_name(checkout):
    (checkout / "a").write_text("two\n")
    assert tree_at(checkout).changed(["?", "*"]) == ()


def test_what_is_staged_differs_even_where_the_file_is_as_before(checkout):
    (checkout / "a").write_text("two\n")
    builder.git("add", "a", cwd=checkout)
    (checkout / "a").write_text("one\n")
    assert tree_at(checkout).changed(["a"]) == ("a",)


def test_what_is_deleted_or_moved_differs(checkout):
    (checkout / "a").rename(checkout / "c")
    builder.git("add", "--all", cwd=checkout)
    (checkout / "b").unlink()
    assert tree_at(checkout).changed(["c", "a", "b"]) == ("c", "a", "b")


def test_a_mode_is_a_difference_and_a_time_is_none(checkout):
    (checkout / "a").chmod(0o755)
    (checkout / "b").touch()
    assert tree_at(checkout).changed(["a", "b"]) == ("a",)


@pytest.mark.parametrize("path", ["deploy", "deploy/", "./deploy", "deploy/more", "."])
def test_a_directory_answers_for_what_is_in_it(path, checkout):
    (checkout / "deploy/more/x y").write_text("two\n")
    (checkout / "deployed").write_text("two\n")
    assert tree_at(checkout).changed([path, "deploy/values.yaml"]) == (path,)


def test_paths_are_relative_to_the_folder(checkout):
    (checkout / "deploy/values.yaml").write_text("a: 2\n")
    (checkout / "a").write_text("two\n")
    asked = ["values.yaml", "more", "../a", "../b", "a"]
    assert tree_at(checkout / "deploy").changed(asked) == ("values.yaml", "../a")


def test_a_repository_inside_is_untracked_as_a_whole(checkout):
    inner = builder.init(checkout / "vendor", bare=False)
    builder.commit(inner, {"file": "one\n"})
    assert tree_at(checkout).changed(["vendor", "a"]) == ("vendor",)


def test_before_the_first_commit_everything_differs(tmp_path):
    path = builder.init(tmp_path / "checkout", bare=False)
    (path / "a").write_text("one\n")
    assert tree_at(path).changed(["a", "b"]) == ("a",)


def test_in_a_linked_checkout_its_own_files_count(checkout, tmp_path):
    linked = tmp_path / "linked"
    builder.git("worktree", "add", "--quiet", "--detach", linked, "main", cwd=checkout)
    (checkout / "a").write_text("two\n")
    (linked / "b").write_text("two\n")
    assert tree_at(linked).changed(["a", "b"]) == ("b",)


def test_the_checkout_is_read_only_and_no_program_of_its_settings_runs(checkout):
    (checkout / "a").write_text("two\n")
    (checkout / "b").touch()
    canary = checkout.parent / "canary"
    canary.write_text(f"#!/bin/sh\ntouch '{checkout.parent}/ran'\n")
    canary.chmod(0o755)
    for name, value in (
        ("core.fsmonitor", str(canary)),
        ("core.untrackedCache", "true"),
        ("status.renames", "true"),
        ("status.showUntrackedFiles", "no"),
        ("status.relativePaths", "false"),
        ("color.ui", "always"),
    ):
        builder.git("config", name, value, cwd=checkout)
    index = (checkout / ".git/index").read_bytes()
    assert tree_at(checkout).changed(["a", "b"]) == ("a",)
    assert (checkout / ".git/index").read_bytes() == index
    assert not (checkout.parent / "ran").exists()


def test_a_path_outside_of_the_checkout_is_an_error(checkout):
    with pytest.raises(GitError):
        tree_at(checkout).changed(["../../elsewhere"])


def test_outside_of_a_checkout_there_is_none(tmp_path):
    ceiling = builder.isolated_env()
    assert WorkTree.at(tmp_path, ceiling) is None
    assert WorkTree.at(tmp_path / "absent", ceiling) is None
