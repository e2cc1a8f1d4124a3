"""The rig counts the same points in every run, and kills at the one it is told, no other."""

from __future__ import annotations

import subprocess  # noqa: TID251 - only for the name of its error
import sys
import time
from pathlib import Path

import pytest

from tests.support.builder import git, init, isolated_env, write_tree
from tests.support.killing import (
    Command,
    NotKilled,
    Phase,
    count_points,
    kill_at,
    run_undisturbed,
)

PROGRAM = """\
import os, subprocess, sys, tempfile
from pathlib import Path

def git(*words):
    subprocess.run(("git", *words), check=True, stdin=subprocess.DEVNULL, process_group=0)

root = Path(sys.argv[1])
(root / "dir").mkdir(exist_ok=True)
(root / "dir/draft").write_text("whole")
os.replace(root / "dir/draft", root / "dir/final")
git("-C", str(root), "init", "--quiet", "--bare", "repo.git")
git("-C", str(root / "repo.git"), "update-ref", "--stdin")
(root / "dir/final").read_text()
(root / "dir/final").unlink()
(root / "dir").rmdir()
print("done")
"""

ACTS = [
    "os.mkdir {}/dir",
    "open {}/dir/draft",
    "os.rename {}/dir/final",
    "git init",
    "git update-ref",
    "os.remove {}/dir/final",
    "os.rmdir {}/dir",
]


def command(
    tmp_path: Path, program: str = PROGRAM, *, quiet: tuple[Path, ...] = (), timeout: float = 60
) -> Command:
    write_tree({"program.py": program}, tmp_path)
    root = tmp_path / "root"
    root.mkdir(exist_ok=True)
    argv = (sys.executable, str(tmp_path / "program.py"), str(root))
    return Command(argv, isolated_env(), tmp_path, quiet=quiet, timeout=timeout)


def fresh(tmp_path: Path, name: str, program: str = PROGRAM) -> Command:
    (tmp_path / name).mkdir()
    return command(tmp_path / name, program)


def test_every_git_call_and_file_change_is_two_points(tmp_path: Path) -> None:
    done = run_undisturbed(command(tmp_path))
    assert (done.code, done.stdout) == (0, "done\n")
    expected = [act.format(tmp_path / "root") for act in ACTS]
    assert [point.what for point in done.points] == [what for what in expected for _ in Phase]
    assert [point.phase for point in done.points] == [Phase.BEFORE, Phase.AFTER] * len(ACTS)


def test_two_runs_have_the_same_number_of_points(tmp_path: Path) -> None:
    counts = {count_points(fresh(tmp_path, name)) for name in ("one", "two")}
    assert counts == {2 * len(ACTS)}


@pytest.mark.parametrize("n", range(1, 2 * len(ACTS) + 1))
def test_a_kill_hits_its_point(tmp_path: Path, n: int) -> None:
    killed = kill_at(command(tmp_path), n)
    assert killed.number == n
    assert killed.point.what == ACTS[(n - 1) // 2].format(tmp_path / "root")
    assert killed.point.phase == list(Phase)[(n - 1) % 2]
    assert killed.stdout == ""


LEFT = {
    1: set(),
    2: {"dir"},
    3: {"dir"},
    4: {"dir", "dir/draft"},
    5: {"dir", "dir/draft"},
    6: {"dir", "dir/final"},
    7: {"dir", "dir/final"},
    8: {"dir", "dir/final", "repo.git"},
    11: {"dir", "dir/final", "repo.git"},
    12: {"dir", "repo.git"},
    14: {"repo.git"},
}


@pytest.mark.parametrize("n", LEFT)
def test_a_kill_leaves_the_disk_as_that_moment_does(tmp_path: Path, n: int) -> None:
    kill_at(command(tmp_path), n)
    root = tmp_path / "root"
    left = {str(path.relative_to(root)) for path in root.rglob("*")}
    assert {path for path in left if not path.startswith("repo.git/")} == LEFT[n]


def test_a_file_is_empty_right_after_it_was_opened_and_whole_before_it_is_renamed(
    tmp_path: Path,
) -> None:
    kill_at(command(tmp_path), 4)
    assert (tmp_path / "root/dir/draft").read_text() == ""
    kill_at(command(tmp_path), 5)
    assert (tmp_path / "root/dir/draft").read_text() == "whole"


def test_a_killed_program_may_be_run_again(tmp_path: Path) -> None:
    for n in range(1, 2 * len(ACTS) + 1):
        one = fresh(tmp_path, f"{n}")
        kill_at(one, n)
        assert run_undisturbed(one).code == 0


def test_a_point_that_is_never_reached_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotKilled):
        kill_at(command(tmp_path), 2 * len(ACTS) + 1)


def test_a_program_that_fails_by_itself_is_not_taken_for_killed(tmp_path: Path) -> None:
    failing = command(tmp_path, "raise SystemExit(3)")
    with pytest.raises(NotKilled):
        kill_at(failing, 1)
    assert run_undisturbed(failing).code == 3


def test_the_exit_code_and_the_input_of_git_pass_through(tmp_path: Path) -> None:
    program = """\
import subprocess, sys
done = subprocess.run(("git", "hash-object", "--stdin"), input=b"x", capture_output=True)
print(done.stdout.decode().strip())
sys.exit(subprocess.run(("git", "no-such-thing"), stderr=subprocess.DEVNULL).returncode)
"""
    done = run_undisturbed(command(tmp_path, program))
    assert done.stdout.strip() == git("hash-object", "--stdin", stdin=b"x")
    assert done.code == 1


def test_reading_and_the_interpreters_own_files_are_no_points(tmp_path: Path) -> None:
    write_tree({"module.py": "x = 1\n", "data": "1"}, tmp_path)
    program = """\
import importlib, os, subprocess, sys
sys.path.insert(0, "."); importlib.import_module("module")
open("data").read(); os.listdir("."); open(os.devnull, "w").write("x"); os.stat("data")
subprocess.run(("true",), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
"""
    assert count_points(command(tmp_path, program)) == 0
    assert (tmp_path / "__pycache__").is_dir()


def test_changes_through_a_directory_handle_are_named_in_full(tmp_path: Path) -> None:
    write_tree({"root/tree/inner/file": "1"}, tmp_path)
    program = "import shutil, sys; shutil.rmtree(sys.argv[1] + '/tree')"
    points = run_undisturbed(command(tmp_path, program)).points
    root = tmp_path / "root/tree"
    assert [point.what for point in points[::2]] == [
        f"os.remove {root}/inner/file",
        f"os.rmdir {root}/inner",
        f"os.rmdir {root}",
    ]


def test_links_and_cuts_are_points(tmp_path: Path) -> None:
    program = """\
import os, sys
os.chdir(sys.argv[1])
open("a", "x").close(); os.link("a", "b"); os.symlink("a", "c"); os.truncate("a", 0)
"""
    again = fresh(tmp_path, "again", program)
    points = run_undisturbed(fresh(tmp_path, "first", program)).points
    assert [point.what.split()[0] for point in points[::2]] == [
        "open",
        "os.link",
        "os.symlink",
        "os.truncate",
    ]
    kill_at(again, 6)
    assert (tmp_path / "again/root/c").is_symlink()
    assert (tmp_path / "again/root/b").stat().st_nlink == 2


def test_changes_in_quiet_places_are_no_points(tmp_path: Path) -> None:
    program = "import pathlib, sys; pathlib.Path(sys.argv[1], 'x').write_text('1')"
    assert count_points(fresh(tmp_path, "loud", program)) == 2
    quiet = command(tmp_path, program, quiet=(tmp_path / "root",))
    assert count_points(quiet) == 0


def test_an_orphaned_git_has_ended_before_the_next_step(tmp_path: Path) -> None:
    """The program starts a git that waits for its input, and dies by a file change meanwhile."""
    repo = init(tmp_path / "r.git")
    program = f"""\
import pathlib, subprocess, sys
slow = subprocess.Popen(
    ("sh", "-c", "sleep 0.5; git -C {repo} symbolic-ref HEAD refs/heads/late"), process_group=0
)
pathlib.Path(sys.argv[1], "x").write_text("1")
"""
    kill_at(command(tmp_path, program), 1)
    assert git("symbolic-ref", "HEAD", cwd=repo) == "refs/heads/late"


def test_points_of_processes_at_the_same_time_do_not_share_numbers(tmp_path: Path) -> None:
    program = """\
import subprocess
children = [subprocess.Popen(("git", "version"), stdout=subprocess.DEVNULL) for _ in range(12)]
print([child.wait() for child in children])
"""
    done = run_undisturbed(command(tmp_path, program))
    assert len(done.points) == 24
    for n in (1, 12, 24):
        assert kill_at(command(tmp_path, program), n).number == n


def test_a_command_without_end_is_ended(tmp_path: Path) -> None:
    endless = command(tmp_path, "import time; time.sleep(600)", timeout=0.3)
    start = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        run_undisturbed(endless)
    assert time.monotonic() - start < 20
