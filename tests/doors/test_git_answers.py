"""What the servers that there are say in the report of a push, and how it is taken."""

from __future__ import annotations

import pytest

from gitops_ci.errors import Forbidden, LostRace, Rejected, Temporary, Unauthorized
from gitops_ci.git import answers
from gitops_ci.process import Completed

REF = "refs/heads/promote/itg/a+b"
REPORTS = {
    "[rejected] (stale info)": LostRace,
    "[rejected] (non-fast-forward)": LostRace,
    "[rejected] (fetch first)": LostRace,
    "[remote rejected] (failed to update ref)": LostRace,
    f"[remote rejected] (cannot lock ref '{REF}': is at 1 but expected 2)": LostRace,
    "[remote rejected] (incorrect old value provided)": LostRace,
    "[remote rejected] (reference already exists)": LostRace,
    "[remote rejected] (pre-receive hook declined)": Rejected,
    "[remote rejected] (protected branch hook declined)": Rejected,
    "[remote rejected] (push declined due to repository rule violations)": Rejected,
    "[remote rejected] (refusing to allow an App to write `x` without `workflows`)": Rejected,
    "[remote rejected] (deletion prohibited)": Rejected,
    "[remote rejected]": Rejected,
    "[remote failure] (remote failed to report status)": Temporary,
}


def ended(stdout: str, stderr: str = "") -> Completed:
    return Completed(("git", "push"), 1, stdout.encode(), stderr)


def report(summary: str, ref: str = REF) -> str:
    return f"To https://git.example/ops.git\n!\t{'0' * 40}:{ref}\t{summary}\nDone\n"


@pytest.mark.parametrize("summary", REPORTS)
def test_the_line_of_our_branch_tells_who_refused(summary):
    refused = answers.refusal(ended(report(summary), "remote: stale info, fetch first\n"), REF)
    assert type(refused) is REPORTS[summary]


@pytest.mark.parametrize("ref", [f"{REF}/more", "refs/heads/promote/itg/aab", f"x/{REF}"])
def test_the_line_of_another_branch_tells_nothing_of_ours(ref):
    assert answers.refusal(ended(report("[rejected] (stale info)", ref)), REF) is None


def test_what_is_said_outside_of_the_report_is_no_refusal():
    assert answers.refusal(ended("Done\n", report("[rejected] (stale info)")), REF) is None


WORDS = {
    "remote: You are not allowed to push code to this project.\n": Forbidden,
    "fatal: the requested URL returned error: 403\n": Forbidden,
    "git@host: Permission denied (publickey,password).\n": Unauthorized,
    "fatal: Authentication failed for 'https://git.example/'\n": Unauthorized,
    "fatal: the requested URL returned error: 502\n": Temporary,
}


@pytest.mark.parametrize("words", WORDS)
def test_the_words_of_a_call_without_a_report_are_known(words):
    error = answers.known(ended("", words), url="https://git.example/ops.git", branch="main")
    assert type(error) is WORDS[words]
    assert error.hint


def test_new_words_are_passed_on():
    done = ended("", "fatal: never heard of\n")
    assert answers.known(done, url="https://git.example/ops.git", branch="main") is None
    error = answers.unknown(done, url="https://git.example/ops.git")
    assert "never heard of" in error.message
