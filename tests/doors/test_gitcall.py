"""Which environment git gets, and how its failures come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_ci.errors import GitError, Temporary
from gitops_ci.gitcall import Git, environment
from tests.support import builder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = builder.init(tmp_path / "a b" / "repo.git")
    builder.commit(path, {"file": "one\n"})
    return path


def git_of(path: Path, **extra: str) -> Git:
    return Git(path, environment(builder.isolated_env(), extra))


@pytest.mark.parametrize(
    "name",
    [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_CONFIG",
        "GIT_CONFIG_PARAMETERS",
        "GIT_NAMESPACE",
        "GIT_TRACE",
        "GIT_ASKPASS",
        "GIT_AUTHOR_NAME",
        "GIT_COMMITTER_DATE",
        "GIT_EXTERNAL_DIFF",
        "GIT_TEMPLATE_DIR",
        "GIT_SSHX",
    ],
)
def test_what_belongs_to_another_git_call_is_left_behind(name):
    assert name not in environment({name: "x"})


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "HTTPS_PROXY",
        "SSH_AUTH_SOCK",
        "GITOPS_CI_TOKEN",
        "GIT_SSL_CAINFO",
        "GIT_SSL_CAPATH",
        "GIT_SSL_NO_VERIFY",
        "GIT_SSL_CERT",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSH_VARIANT",
        "GIT_PROXY_COMMAND",
        "GIT_PROXY_SSL_CAINFO",
        "GIT_HTTP_PROXY_AUTHMETHOD",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_KEY_0",
        "GIT_CONFIG_VALUE_12",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_SYSTEM",
        "GIT_CONFIG_NOSYSTEM",
    ],
)
def test_what_the_administrator_sets_goes_along(name):
    assert environment({name: "as it is"})[name] == "as it is"


def test_our_settings_win_over_inherited_ones():
    base = {"LC_ALL": "de_DE.UTF-8", "GIT_TERMINAL_PROMPT": "1", "GIT_ALLOW_PROTOCOL": "ext"}
    assert environment(base) == {
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_ALLOW_PROTOCOL": "",
    }


def test_the_call_has_the_last_word_and_the_base_stays_as_it_is():
    base = {"GIT_DIR": "elsewhere"}
    extra = {"GIT_ALLOW_PROTOCOL": "https:ssh", "GIT_ASKPASS": "/bin/ours"}
    assert environment(base, extra).items() >= extra.items()
    assert base == {"GIT_DIR": "elsewhere"}


def test_output_comes_without_its_last_line_break(repository):
    tip = builder.git("rev-parse", "main", cwd=repository)
    assert git_of(repository).out("show-ref", "--verify", "--hash", "refs/heads/main") == tip


def test_only_one_line_break_is_taken_away(repository):
    blob = git_of(repository).out("hash-object", "-w", "--stdin", stdin=b" a\n\n")
    assert git_of(repository).out("cat-file", "blob", blob) == " a\n"


def test_a_failure_names_the_command_and_says_gits_last_words(repository):
    with pytest.raises(GitError) as failed:
        git_of(repository).out("cat-file", "-t", "--end-of-options", "0" * 40)
    assert "`git cat-file` ended with 128" in failed.value.message
    assert len(failed.value.message.splitlines()) > 1


def test_a_failure_is_data_where_only_the_code_is_asked_for(repository):
    done = git_of(repository).run("cat-file", "-e", "--end-of-options", "0" * 40)
    assert not done.ok
    assert done.code > 0


def test_no_argument_meets_a_shell(repository, tmp_path):
    text = f"$(touch {tmp_path}/made) `touch {tmp_path}/made`; touch {tmp_path}/made"
    git_of(repository).run("rev-parse", "--verify", "--end-of-options", text)
    assert not (tmp_path / "made").exists()


def test_one_call_may_have_an_environment_of_its_own(repository):
    tree = builder.git("rev-parse", "main^{tree}", cwd=repository)
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "ann"), ("EMAIL", "a@b"), ("DATE", "@5 +0000"))
    }
    call = git_of(repository)
    commit = call.out("commit-tree", "--end-of-options", tree, stdin=b"text\n", extra_env=who)
    assert builder.git("show", "-s", "--format=%an %ct", commit, cwd=repository) == "ann 5"


def test_no_protocol_is_open_unless_the_call_says_so(repository, tmp_path):
    builder.init(tmp_path / "other.git")
    fetch = ("fetch", "--end-of-options", (tmp_path / "a b/repo.git").as_uri(), "refs/heads/main")
    assert not git_of(tmp_path / "other.git").run(*fetch).ok
    assert git_of(tmp_path / "other.git", GIT_ALLOW_PROTOCOL="file").run(*fetch).ok


def test_a_call_that_takes_too_long_is_temporary(repository):
    slow = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "alias.nap",
        "GIT_CONFIG_VALUE_0": "!sleep 20",
    }
    with pytest.raises(Temporary):
        git_of(repository).run("nap", extra_env=slow, timeout=0.2)
