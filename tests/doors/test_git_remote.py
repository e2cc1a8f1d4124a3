"""The scratch copy of a remote: what a fetch leaves behind, and what a refused push means."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from gitops_ci.credentials import Token
from gitops_ci.errors import ConfigError, LostRace, Rejected, Unauthorized
from gitops_ci.git import Remote
from tests.support import builder
from tests.support.git_http import GitHttpServer

BRANCH = "promote/itg/shop"
REF = f"refs/heads/{BRANCH}"

Opened = Callable[..., Remote]


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """The repository on the server, with one commit."""
    path = builder.init(tmp_path / "served" / "ops.git")
    builder.commit(path, {"file": "one\n"})
    return path


@pytest.fixture(params=["disk", "http"])
def url(request: pytest.FixtureRequest, served: Path) -> Iterator[str]:
    if request.param == "disk":
        yield served.as_uri()
        return
    with GitHttpServer(served.parent) as server:
        yield f"{server.url}/{served.name}"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Makes scratch copies and ends their helpers."""
    remotes: list[Remote] = []

    def make(url: str, *, token: Token | None = None, **env: str) -> Remote:
        scratch = tmp_path / f"scratch-{len(remotes)}"
        scratch.mkdir()
        full = builder.isolated_env(**env)
        remotes.append(
            Remote.open(url, scratch=scratch, default_branch="main", token=token, env=full)
        )
        return remotes[-1]

    yield make
    for remote in remotes:
        remote.close()


def refs(path: Path) -> dict[str, str]:
    lines = builder.git("for-each-ref", "--format=%(refname) %(objectname)", cwd=path).splitlines()
    return dict(line.split(" ") for line in lines)


def hook(path: Path, name: str, *lines: str) -> None:
    file = path / "hooks" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(("#!/bin/sh", *lines, "")))
    file.chmod(0o755)


def fetched(remote: Remote) -> Remote:
    remote.fetch("promote/*")
    return remote


# --- fetching ----------------------------------------------------------------


def test_a_branch_that_is_gone_is_forgotten(served, url, opened):
    kept, gone = "promote/itg/kept", "promote/itg/gone"
    for branch in (kept, gone):
        builder.commit(served, {"file": branch}, branch=branch, start="main")
    remote = fetched(opened(url))
    assert remote.branches.keys() == {kept, gone}
    builder.git("update-ref", "-d", f"refs/heads/{gone}", cwd=served)
    remote.fetch("promote/*")
    assert remote.branches.keys() == {kept}


def test_a_branch_may_take_the_place_of_a_directory_of_branches(served, url, opened):
    builder.commit(served, {"file": "two"}, branch=f"{BRANCH}/deeper", start="main")
    remote = fetched(opened(url))
    builder.git("update-ref", "-d", f"{REF}/deeper", cwd=served)
    tip = builder.commit(served, {"file": "three"}, branch=BRANCH, start="main")
    remote.fetch("promote/*")
    assert remote.branches == {BRANCH: tip}


def test_only_what_came_from_the_remote_is_one_of_its_branches(served, url, opened):
    remote = fetched(opened(url))
    remote.git.out("update-ref", "refs/heads/ours", remote.tip)
    remote.git.out("update-ref", "refs/remotes/originally/theirs", remote.tip)
    remote.fetch()
    assert remote.branches == {}
    assert remote.tip == refs(served)["refs/heads/main"]


# --- pushing -----------------------------------------------------------------


def test_a_push_makes_a_branch_and_a_second_one_finds_it_there(served, url, opened):
    remote = fetched(opened(url))
    remote.push(BRANCH, remote.tip, expect=None)
    assert refs(served)[REF] == remote.tip
    remote.push(BRANCH, remote.tip, expect=None)


def test_somebody_else_was_first(served, url, opened):
    remote = fetched(opened(url))
    theirs = builder.commit(served, {"file": "theirs"}, branch=BRANCH, start="main")
    with pytest.raises(LostRace):
        remote.push(BRANCH, remote.tip, expect=None)
    assert refs(served)[REF] == theirs


SAYING = [
    "protected by rule 7",
    "non-fast-forward, fetch first, stale info",
    "cannot lock ref",
    "reference already exists",
    f"!\\tx:{REF}\\t[rejected] (stale info)",
    "The requested URL returned error: 503",
    "No space left on device",
]


@pytest.mark.parametrize("words", SAYING)
def test_a_hook_refuses_whatever_it_says(words, served, url, opened):
    hook(served, "pre-receive", f"printf '{words}\\n' >&2", f"printf '{words}\\n'", "exit 1")
    remote = fetched(opened(url))
    with pytest.raises(Rejected) as refused:
        remote.push(BRANCH, remote.tip, expect=None)
    assert words.split("\\t")[0] in refused.value.message
    assert refused.value.hint
    assert REF not in refs(served)


def test_an_update_hook_refuses_too(served, url, opened):
    hook(served, "update", "echo failed to update ref >&2", "exit 1")
    remote = fetched(opened(url))
    with pytest.raises(Rejected):
        remote.push(BRANCH, remote.tip, expect=None)


def racing(served: Path, commit: str) -> None:
    """Somebody moves the branch after the server has told where it is: a hook plays them."""
    undo = "unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES"
    hook(served, "pre-receive", undo, f"git update-ref {REF} {commit}")


def test_the_server_sees_the_race_and_says_so(served, url, opened):
    theirs = builder.commit(served, {"file": "theirs"}, branch="elsewhere", start="main")
    racing(served, theirs)
    remote = fetched(opened(url))
    with pytest.raises(LostRace):
        remote.push(BRANCH, remote.tip, expect=None)
    assert refs(served)[REF] == theirs


def test_the_other_one_in_a_race_may_have_pushed_the_same(served, url, opened):
    remote = fetched(opened(url))
    racing(served, remote.tip)
    remote.push(BRANCH, remote.tip, expect=None)
    assert refs(served)[REF] == remote.tip


def test_what_is_there_already_is_not_refused(served, url, opened):
    """A rule that came up later stands against nothing that is asked for here."""
    remote = fetched(opened(url))
    mine = refs(served)["refs/heads/main"]
    undo = "unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES"
    hook(served, "pre-receive", undo, f"git update-ref {REF} {mine}", "exit 1")
    remote.push(BRANCH, mine, expect=None)
    assert refs(served)[REF] == mine


@pytest.mark.parametrize("there", [True, False], ids=["moved", "gone"])
def test_a_branch_that_is_gone_or_has_moved_is_left(there, served, url, opened):
    builder.commit(served, {"file": "mine"}, branch=BRANCH, start="main")
    remote = fetched(opened(url))
    seen = remote.branches[BRANCH]
    if there:
        builder.commit(served, {"file": "theirs"}, branch=BRANCH)
    else:
        builder.git("update-ref", "-d", REF, cwd=served)
    before = refs(served)
    remote.delete(BRANCH, expect=seen)
    assert refs(served) == before


def test_a_branch_is_deleted_where_it_stands_as_expected(served, url, opened):
    builder.commit(served, {"file": "mine"}, branch=BRANCH, start="main")
    remote = fetched(opened(url))
    remote.delete(BRANCH, expect=remote.branches[BRANCH])
    assert REF not in refs(served)


def test_a_rule_may_stand_against_a_deletion(served, url, opened):
    builder.git("config", "receive.denyDeletes", "true", cwd=served)
    builder.commit(served, {"file": "mine"}, branch=BRANCH, start="main")
    remote = fetched(opened(url))
    with pytest.raises(Rejected):
        remote.delete(BRANCH, expect=remote.branches[BRANCH])


# --- who may -----------------------------------------------------------------


@contextmanager
def redirecting(target: str) -> Iterator[str]:
    """A server that sends everybody on to `target`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(301)
            self.send_header("Location", target + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """The test looks at the target."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_redirect_takes_the_token_nowhere(served, opened):
    with GitHttpServer(served.parent) as elsewhere, redirecting(elsewhere.url) as address:
        remote = opened(f"{address}/{served.name}", token=Token("canary", "GITOPS_CI_TOKEN"))
        with pytest.raises(ConfigError, match="redirects") as refused:
            remote.fetch()
        assert refused.value.hint
        assert not elsewhere.requests


def test_an_ssh_key_that_is_not_accepted_is_no_matter_of_the_token(tmp_path, opened):
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\necho 'git@host: Permission denied (publickey).' >&2\nexit 255\n")
    ssh.chmod(0o755)
    remote = opened("ssh://git@host.example/ops.git", GIT_SSH=str(ssh), GIT_SSH_VARIANT="ssh")
    with pytest.raises(Unauthorized) as refused:
        remote.fetch()
    assert "ssh key" in refused.value.message
    assert "GITOPS_CI_TOKEN" not in refused.value.message + (refused.value.hint or "")
