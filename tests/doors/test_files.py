"""Files: whole writes, names that do not lead out, bounded reads, and what a full disk is."""

from __future__ import annotations

import errno
import os
import resource
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from gitops_ci import files
from gitops_ci.errors import ConfigError, Exit, GitopsCiError, Temporary


def in_child(work: Callable[[], None]) -> int:
    """Run `work` in a child process; 0 where it returned, 9 where it raised `GitopsCiError`."""
    child = os.fork()
    if child == 0:
        code = 1
        with suppress(BaseException):
            try:
                work()
                code = 0
            except GitopsCiError:
                code = 9
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# --- scratch -----------------------------------------------------------------


def test_a_scratch_directory_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    with files.scratch(tmp_path) as root:
        assert root.parent == tmp_path
        assert stat.S_IMODE(root.stat().st_mode) == 0o700
        (root / "a").mkdir()
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_directory_goes_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), files.scratch(tmp_path):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_no_place_for_a_scratch_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(GitopsCiError, match="missing"), files.scratch(tmp_path / "missing"):
        pass


# --- writing whole -----------------------------------------------------------


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    files.write_text(path, "ä: 1\r\n")
    assert path.read_bytes() == "ä: 1\r\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_an_old_file_keeps_its_mode_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "run.sh"
    path.write_text("old")
    path.chmod(0o755)
    files.write_text(path, "new")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", 0o755)
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_half_way_leaves_the_old_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("old")

    def write_too_much() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        files.write_text(path, "x" * 5000)

    assert in_child(write_too_much) == 9
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_sees_the_old_or_the_new_text_and_nothing_between(tmp_path: Path) -> None:
    path, sizes = tmp_path / "a", set()
    files.write_bytes(path, b"a" * 200_000)
    writer = os.fork()
    if writer == 0:
        for letter in (b"b", b"a") * 10:
            files.write_bytes(path, letter * 200_000)
        os._exit(0)
    while os.waitpid(writer, os.WNOHANG) == (0, 0):
        content = files.read_bytes(path)
        sizes.add((len(content), len(set(content))))
    assert sizes <= {(200_000, 1)}


def test_a_full_disk_is_temporary_and_names_the_file() -> None:
    with pytest.raises(Temporary, match="/dev/full") as caught, files.told("written", "/dev/full"):
        Path("/dev/full").write_bytes(b"x")
    assert caught.value.exit_code == Exit.TEMPORARY


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, Temporary),
        (errno.EDQUOT, Temporary),
        (errno.EROFS, GitopsCiError),
        (errno.EACCES, GitopsCiError),
        (errno.EIO, GitopsCiError),
    ],
)
def test_each_failure_of_the_system_has_its_kind(number: int, kind: type[Exception]) -> None:
    with (
        pytest.raises(GitopsCiError, match=r"values\.yaml") as caught,
        files.told("read", "values.yaml"),
    ):
        raise OSError(number, os.strerror(number))
    assert type(caught.value) is kind


def test_a_missing_directory_is_told_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(GitopsCiError, match=r"no/a\.yaml"):
        files.write_text(tmp_path / "no" / "a.yaml", "x")


# --- writing below a root ----------------------------------------------------


def test_a_tree_is_written_with_its_directories(tmp_path: Path) -> None:
    content = {"a": b"1", "b/c/d": b"2", "b/c/e": b"", "..f/...": b"3"}
    files.write_tree(tmp_path, content)
    assert files.walk(tmp_path).files == content
    files.write_tree(tmp_path, {"a": b"4"})
    assert (tmp_path / "a").read_bytes() == b"4"


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "a/..", "..", ".", "", "/etc/x", "a//x", "a/", "./x", "a\0b"]
)
@pytest.mark.parametrize("write", [lambda r, n: files.write_tree(r, {n: b""}), files.below])
def test_a_name_that_leads_out_is_refused(
    tmp_path: Path, name: str, write: Callable[[Path, str], object]
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(GitopsCiError):
        write(root, name)
    assert [path.name for path in tmp_path.iterdir()] == ["root"]


@pytest.mark.parametrize("name", ["link", "link/x", "a/link", "a/link/x"])
@pytest.mark.parametrize("write", [lambda r, n: files.write_tree(r, {n: b"new"}), files.below])
def test_a_symbolic_link_is_never_followed(
    tmp_path: Path, name: str, write: Callable[[Path, str], object]
) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "a").mkdir(parents=True)
    outside.mkdir() if name.endswith("/x") else outside.write_text("old")
    (root / "link").symlink_to(outside)
    (root / "a" / "link").symlink_to(outside)
    with pytest.raises(GitopsCiError, match="link"):
        write(root, name)
    assert (outside.is_dir() and not any(outside.iterdir())) or outside.read_text() == "old"


def test_a_dangling_link_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(GitopsCiError):
        files.write_tree(tmp_path, {"link": b"x"})
    assert not (tmp_path / "nowhere").exists()


def test_a_path_below_a_root_can_be_written_whole(tmp_path: Path) -> None:
    path = files.below(tmp_path, "argocd/projects/tst.yaml")
    files.write_text(path, "a: 1\n")
    assert path == tmp_path / "argocd/projects/tst.yaml"
    assert path.read_text() == "a: 1\n"


def test_a_file_in_the_place_of_a_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(GitopsCiError, match="a/b"):
        files.write_tree(tmp_path, {"a/b": b""})


# --- reading -----------------------------------------------------------------


def test_a_read_has_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert files.read_bytes(path, limit=5) == b"12345"
    with pytest.raises(GitopsCiError, match="4 bytes"):
        files.read_bytes(path, limit=4)


def test_text_is_read_without_translation(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes("\ufeffa\r\nb".encode())
    assert files.read_text(path) == "\ufeffa\r\nb"


def test_a_missing_file_and_one_that_is_no_text_are_usage_errors(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xff")
    for name in ("missing", "latin"):
        with pytest.raises(ConfigError, match=name) as caught:
            files.read_text(tmp_path / name)
        assert caught.value.problems[0].file == str(tmp_path / name)


def test_what_is_no_file_is_not_read_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(GitopsCiError):
            files.read_bytes(path)


# --- walking -----------------------------------------------------------------


def test_a_walk_reads_files_and_names_everything_else(tmp_path: Path) -> None:
    files.write_tree(tmp_path, {"a": b"1", "b/c": b"2", "b/.hidden": b"3"})
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "b" / "dir").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(tmp_path, os.O_PATH)
        listener.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
        found = files.walk(tmp_path)
    assert found.files == {"a": b"1", "b/c": b"2", "b/.hidden": b"3"}
    assert found.special == {"link", "b/dir", "pipe", "socket"}


def test_a_walk_does_not_enter_a_repository_and_says_so(tmp_path: Path) -> None:
    files.write_tree(tmp_path, {"a": b"", "sub/.git/config": b"", "other/.git": b"gitdir: x"})
    found = files.walk(tmp_path)
    assert sorted(found.files) == ["a", "other/.git"]
    assert found.special == {"sub/.git"}


def test_a_walk_in_the_same_directory_has_the_same_order(tmp_path: Path) -> None:
    files.write_tree(tmp_path, dict.fromkeys(("b", "a/z", "c", "a/a"), b""))
    assert list(files.walk(tmp_path).files) == ["a/a", "a/z", "b", "c"]


@pytest.mark.parametrize(("count", "size"), [(2, 6), (3, 5)])
def test_a_walk_has_limits(tmp_path: Path, count: int, size: int) -> None:
    files.write_tree(tmp_path, {"a": b"12", "b": b"34", "c": b"56"})
    assert len(files.walk(tmp_path, files=3, size=6).files) == 3
    with pytest.raises(GitopsCiError, match="holds more than"):
        files.walk(tmp_path, files=count, size=size)


def test_a_walk_of_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(GitopsCiError, match="missing"):
        files.walk(tmp_path / "missing")
