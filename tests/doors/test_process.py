"""How a program that cannot be started is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitops_ci import process
from gitops_ci.errors import ProcessError

ENV = {"PATH": os.environ.get("PATH", os.defpath)}


def test_a_program_runs_in_its_directory(tmp_path):
    done = process.run(("pwd", "-P"), env=ENV, cwd=tmp_path)
    assert done.check().text() == f"{tmp_path.resolve()}\n"


@pytest.mark.parametrize("program", ["git", "no-such-program"])
@pytest.mark.parametrize("kind", ["absent", "file"])
def test_a_directory_that_is_not_there_is_told_as_such(kind, program, tmp_path):
    place = tmp_path / "place"
    if kind == "file":
        place.touch()
    with pytest.raises(ProcessError) as failed:
        process.run((program, "version"), env=ENV, cwd=place)
    assert f"there is no directory `{place}`" in failed.value.message
    assert failed.value.hint is None


def start_a_dialogue(program: str, cwd: Path) -> None:
    process.Dialogue((program,), env=ENV)


def run(program: str, cwd: Path) -> None:
    process.run((program,), env=ENV, cwd=cwd)


@pytest.mark.parametrize("start", [run, start_a_dialogue])
def test_a_program_that_is_not_there_is_told_as_such(start, tmp_path):
    with pytest.raises(ProcessError, match="`no-such-program` was not found on PATH") as failed:
        start("no-such-program", tmp_path)
    assert failed.value.hint


@pytest.mark.parametrize("start", [run, start_a_dialogue])
def test_a_program_that_may_not_run_is_told_as_such(start, tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    with pytest.raises(ProcessError, match="cannot be started") as failed:
        start(str(program), tmp_path)
    assert "PATH" not in failed.value.message
