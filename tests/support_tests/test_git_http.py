"""The git server serves, refuses, counts and fails exactly as it is told to."""

from __future__ import annotations

import http.client
import socket
import subprocess  # noqa: TID251 - a client that hangs must be killed from outside
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pytest

from tests.support.builder import commit, git, init, isolated_env, real_git, run_git
from tests.support.git_http import GitHttpServer, Request

NOISE = Random(7).randbytes(1 << 21)
MAIN = "refs/heads/main"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    repo = init(tmp_path / "served/group/ops.git")
    commit(repo, {"a/b/c.txt": "1\n", "a/d.txt": "2\n"}, "one")
    return tmp_path / "served"


@pytest.fixture
def server(root: Path) -> Iterator[GitHttpServer]:
    with GitHttpServer(root) as running:
        yield running


def tip(root: Path, ref: str = MAIN) -> str:
    return git("for-each-ref", "--format=%(objectname)", ref, cwd=root / "group/ops.git")


def work(tmp_path: Path, files: dict[str, str | bytes]) -> tuple[Path, str]:
    repo = init(tmp_path / "mine.git")
    return repo, commit(repo, dict(files), "mine")


def push(repo: Path, server: GitHttpServer, *options: str, user: str = "") -> int:
    url = address(server, user=user)
    words = ("push", "--quiet", *options, url, f"{MAIN}:refs/heads/new")
    return run_git(*words, cwd=repo).returncode


def fetch(into: Path, server: GitHttpServer, *options: str) -> int:
    repo = init(into)
    words = ("-c", f"remote.origin.url={address(server)}", "fetch", "--quiet", *options)
    return run_git(*words, "origin", MAIN, cwd=repo).returncode


def address(server: GitHttpServer, *, user: str = "") -> str:
    base = server.url.replace("http://", f"http://{user}@") if user else server.url
    return f"{base}/group/ops.git"


def ls_remote(server: GitHttpServer, *, user: str = "") -> int:
    return run_git("ls-remote", address(server, user=user), MAIN).returncode


def test_a_clone_has_the_served_commit(server: GitHttpServer, root: Path, tmp_path: Path) -> None:
    git("clone", "--quiet", address(server), tmp_path / "clone")
    assert git("rev-parse", "HEAD", cwd=tmp_path / "clone") == tip(root)


def test_a_push_arrives(server: GitHttpServer, root: Path, tmp_path: Path) -> None:
    repo, oid = work(tmp_path, {"x": "1"})
    assert push(repo, server) == 0
    assert tip(root, "refs/heads/new") == oid


def test_a_push_of_more_than_a_mebibyte_arrives_in_chunks(
    server: GitHttpServer, root: Path, tmp_path: Path
) -> None:
    repo, oid = work(tmp_path, {"noise": NOISE})
    assert push(repo, server) == 0
    assert tip(root, "refs/heads/new") == oid
    assert server.requests[-1].up > len(NOISE)


def test_an_answer_of_many_packets_comes_whole(
    server: GitHttpServer, root: Path, tmp_path: Path
) -> None:
    commit(root / "group/ops.git", {"noise": NOISE})
    git("clone", "--quiet", address(server), tmp_path / "clone")
    assert (tmp_path / "clone/noise").read_bytes() == NOISE
    assert server.bytes_down > len(NOISE)


def test_a_client_without_side_bands_is_served(server: GitHttpServer, root: Path) -> None:
    want = f"want {tip(root)} ofs-delta\n".encode()
    line = http.client.HTTPConnection(urlsplit(server.url).netloc)
    line.request(
        "POST",
        "/group/ops.git/git-upload-pack",
        body=b"%04x%s00000009done\n" % (len(want) + 4, want),
        headers={"Content-Type": "application/x-git-upload-pack-request"},
    )
    assert line.getresponse().read().startswith(b"0008NAK\nPACK")
    line.close()


def test_a_compressed_request_is_understood(
    server: GitHttpServer, root: Path, tmp_path: Path
) -> None:
    """git compresses requests above 1 KiB; 60 wanted objects make one."""
    repo = root / "group/ops.git"
    ids = [commit(repo, {f"file-{n}": f"{n}\n"}, f"{n}") for n in range(60)]
    into = init(tmp_path / "into.git")
    git("fetch", "--quiet", "--depth=1", address(server), *ids, cwd=into)
    assert {run_git("cat-file", "-e", oid, cwd=into).returncode for oid in ids} == {0}
    assert server.requests[-1].up < 60 * 41


@pytest.mark.parametrize(("version", "posts"), [(2, 1), (0, 0)])
def test_the_clients_protocol_version_is_spoken(
    server: GitHttpServer, version: int, posts: int
) -> None:
    """In version 2 the references come by a request of their own."""
    git("-c", f"protocol.version={version}", "ls-remote", address(server))
    assert [request.method for request in server.requests] == ["GET"] + ["POST"] * posts


@pytest.mark.parametrize(
    ("user", "allowed"), [("bot:right", True), ("bot:wrong", False), ("", False)]
)
def test_only_known_users_come_in(root: Path, tmp_path: Path, user: str, allowed: bool) -> None:
    repo, _ = work(tmp_path, {"x": "1"})
    with GitHttpServer(root, users={"bot": "right"}) as server:
        assert (ls_remote(server, user=user) == 0) is allowed
        assert (push(repo, server, user=user) == 0) is allowed
        statuses = {request.status for request in server.requests}
    assert statuses == ({401, 200} if allowed else {401})
    assert bool(tip(root, "refs/heads/new")) is allowed


@pytest.mark.parametrize("token", ["Basic !!!", "Bearer abc", "Basic", "Basic /w==", "Basic Og=="])
def test_broken_credentials_are_refused(root: Path, token: str) -> None:
    with GitHttpServer(root, users={"bot": "right"}) as server:
        line = http.client.HTTPConnection(urlsplit(server.url).netloc)
        line.request(
            "GET",
            "/group/ops.git/info/refs?service=git-upload-pack",
            headers={"Authorization": token},
        )
        answer = line.getresponse()
        line.close()
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_a_read_only_server_is_read_but_not_written(root: Path, tmp_path: Path) -> None:
    repo, _ = work(tmp_path, {"x": "1"})
    with GitHttpServer(root, read_only=True) as server:
        assert ls_remote(server) == 0
        server.reset()
        assert push(repo, server) != 0
        assert [request.status for request in server.requests] == [403]
    assert tip(root, "refs/heads/new") == ""


@pytest.mark.parametrize(
    ("depth", "wanted", "served"),
    [
        (None, "tree:3", True),
        (None, "combine:tree:1+blob:none", True),
        (2, "tree:2", True),
        (2, "tree:3", False),
        (0, "tree:0", True),
        (0, "blob:none", True),
        (0, "blob:limit=1k", True),
        (0, "tree:1", False),
        (0, "combine:tree:0+blob:none", False),
    ],
)
def test_filters_are_served_up_to_the_depth(
    root: Path, tmp_path: Path, depth: int | None, wanted: str, served: bool
) -> None:
    with GitHttpServer(root, tree_depth=depth) as server:
        code = fetch(tmp_path / "f.git", server, "--depth=1", f"--filter={wanted}")
    assert (code == 0) is served


@pytest.mark.parametrize("filters", [True, False])
def test_without_filters_everything_comes(root: Path, tmp_path: Path, filters: bool) -> None:
    into = tmp_path / "f.git"
    with GitHttpServer(root, filters=filters) as server:
        assert fetch(into, server, "--depth=1", "--filter=tree:0") == 0
    have = run_git(
        "cat-file", "-e", f"{tip(root)}:a/d.txt", cwd=into, env=isolated_env(GIT_NO_LAZY_FETCH="1")
    )
    assert (have.returncode != 0) is filters


def test_an_object_may_be_asked_for_by_its_id(
    server: GitHttpServer, root: Path, tmp_path: Path
) -> None:
    tree = git("rev-parse", "main:a", cwd=root / "group/ops.git")
    into = init(tmp_path / "into.git")
    git("fetch", "--quiet", address(server), tree, cwd=into)
    assert "d.txt" in git("ls-tree", "--name-only", tree, cwd=into)


def test_two_equal_runs_have_equal_records(
    server: GitHttpServer, root: Path, tmp_path: Path
) -> None:
    def run(name: str) -> tuple[Request, ...]:
        server.reset()
        fetch(tmp_path / name, server, "--depth=1")
        repo, _ = work(tmp_path / f"{name}-work", {"x": "1"})
        push(repo, server)
        git("update-ref", "-d", "refs/heads/new", cwd=root / "group/ops.git")
        return server.requests

    first = run("one")
    assert first == run("two")
    assert [(r.method, r.service) for r in first] == [
        ("GET", "git-upload-pack"),
        ("POST", "git-upload-pack"),
        ("POST", "git-upload-pack"),
        ("GET", "git-receive-pack"),
        ("POST", "git-receive-pack"),
    ]


def test_the_bytes_are_those_that_a_client_reads(server: GitHttpServer) -> None:
    line = http.client.HTTPConnection(urlsplit(server.url).netloc)
    line.request("GET", "/group/ops.git/info/refs?service=git-upload-pack")
    read = line.getresponse().read()
    line.request(
        "POST",
        "/group/ops.git/git-upload-pack",
        body=b"0000",
        headers={"Content-Type": "application/x-git-upload-pack-request"},
    )
    more = line.getresponse().read()
    line.close()
    assert [(r.up, r.down) for r in server.requests] == [(0, len(read)), (4, len(more))]
    assert (server.bytes_up, server.bytes_down) == (4, len(read) + len(more))


def test_requests_at_the_same_time_are_all_counted(server: GitHttpServer) -> None:
    threads = [threading.Thread(target=ls_remote, args=(server,)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 20


@pytest.mark.parametrize("status", [500, 502, 503])
def test_the_next_requests_fail_and_no_more(server: GitHttpServer, status: int) -> None:
    server.fail_next(2, status)
    assert [ls_remote(server) == 0 for _ in range(3)] == [False, False, True]
    assert [request.status for request in server.requests[:2]] == [status, status]


def test_a_push_may_take_effect_and_still_fail(
    server: GitHttpServer, root: Path, tmp_path: Path
) -> None:
    repo, oid = work(tmp_path, {"x": "1"})
    host = urlsplit(server.url).netloc
    pack = _push_body(repo, oid)
    server.fail_next(1, 502, after_effect=True)
    line = http.client.HTTPConnection(host)
    line.request(
        "POST",
        "/group/ops.git/git-receive-pack",
        body=pack,
        headers={"Content-Type": "application/x-git-receive-pack-request"},
    )
    assert line.getresponse().status == 502
    line.close()
    assert tip(root, "refs/heads/new") == oid


def _push_body(repo: Path, oid: str) -> bytes:
    update = f"{'0' * 40} {oid} refs/heads/new\0report-status".encode()
    done = run_git("pack-objects", "--stdout", "--revs", cwd=repo, stdin=f"{oid}\n".encode())
    return b"%04x%s0000%s" % (len(update) + 4, update, done.stdout)


@pytest.mark.parametrize("cut", [0, 30])
def test_an_answer_breaks_off(server: GitHttpServer, cut: int) -> None:
    server.drop_after(cut)
    assert ls_remote(server) != 0
    assert [request.down for request in server.requests] == [cut]
    assert ls_remote(server) == 0


def test_a_request_hangs_until_the_client_gives_up(server: GitHttpServer) -> None:
    server.hang_next()
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port), timeout=0.3) as line:
        line.sendall(b"GET /group/ops.git/info/refs HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(TimeoutError):
            line.recv(1)
    assert [request.status for request in server.requests] == [0]
    assert ls_remote(server) == 0


def test_the_end_of_the_server_frees_clients_that_hang(root: Path) -> None:
    with GitHttpServer(root) as server:
        server.hang_next()
        client = subprocess.Popen(
            (real_git(), "ls-remote", address(server)),
            env=isolated_env(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not server.requests:
            time.sleep(0.01)
        assert client.poll() is None
    assert client.wait(10) != 0


def test_the_end_of_the_server_frees_connections_that_are_kept(root: Path) -> None:
    with GitHttpServer(root) as server:
        line = http.client.HTTPConnection(urlsplit(server.url).netloc)
        line.request("GET", "/group/ops.git/HEAD")
        line.getresponse().read()
    line.close()


def test_reset_forgets_records_and_faults(server: GitHttpServer) -> None:
    ls_remote(server)
    server.fail_next(3, 500)
    server.reset()
    assert server.requests == ()
    assert ls_remote(server) == 0


def test_latency_is_added_to_every_request(root: Path) -> None:
    with GitHttpServer(root, latency=0.1) as server:
        start = time.monotonic()
        ls_remote(server)
        assert time.monotonic() - start >= 0.1 * len(server.requests)


@pytest.mark.parametrize("path", ["/../secret.git", "/%2e%2e/secret.git", "/group/none.git"])
def test_nothing_outside_the_root_is_served(
    server: GitHttpServer, tmp_path: Path, path: str
) -> None:
    init(tmp_path / "secret.git")
    line = http.client.HTTPConnection(urlsplit(server.url).netloc)
    line.request("GET", f"{path}/info/refs?service=git-upload-pack")
    assert line.getresponse().status >= 400
    line.close()


def test_two_servers_do_not_share_anything(root: Path) -> None:
    with GitHttpServer(root) as one, GitHttpServer(root, read_only=True) as two:
        ls_remote(one)
        assert (len(one.requests), len(two.requests)) == (2, 0)
        assert one.url != two.url
