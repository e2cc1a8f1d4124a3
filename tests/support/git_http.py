"""A smart-HTTP git server on the loopback that counts to the byte and fails on demand.

Real `git http-backend` behind a threading HTTP server of the standard library. It speaks git alone;
a forge's API has a server of its own. Counts of bytes repeat where the client asks without progress
(`--quiet`).
"""

from __future__ import annotations

import base64
import binascii
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, unquote

from tests.support.builder import git_config, isolated_env, run_git

_PUSH = "git-receive-pack"
_PACK_BAND = b"\1"
_PACKET_MAX = 65515  # gitprotocol-common: 65520 with length and band


@dataclass(frozen=True, slots=True)
class Request:
    """One exchange; `up` and `down` are the bytes of the bodies as they travelled."""

    method: str
    path: str
    service: str
    up: int
    down: int
    status: int


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class _Fault:
    """What the next request meets: `status` instead of an answer, a cut, or silence."""

    status: int = 0
    after_effect: bool = False
    cut: int | None = None
    hang: bool = False


class GitHttpServer:
    """Serves every bare repository below `root` while its `with` block runs.

    `users` demands basic authentication (name -> password). `tree_depth` is the deepest
    `--filter=tree:<n>` that is served; 0 refuses `combine:` too, as GitHub does. `latency` in
    seconds is added to every request.
    """

    def __init__(
        self,
        root: Path,
        *,
        users: Mapping[str, str] | None = None,
        tree_depth: int | None = None,
        filters: bool = True,
        read_only: bool = False,
        latency: float = 0.0,
    ) -> None:
        self.read_only = read_only
        self.latency = latency
        self.closing = threading.Event()
        self._users = None if users is None else dict(users)
        self._env = {
            **isolated_env(),
            **git_config(_settings(tree_depth=tree_depth, filters=filters)),
            "GIT_PROJECT_ROOT": str(root.resolve()),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_ADDR": "127.0.0.1",
        }
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._faults: list[_Fault] = []
        self._listener = _Listener(self)
        self._thread = threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.02}, name="git-http"
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._listener.shutdown()
        self._thread.join()
        self._listener.hang_up()
        self._listener.server_close()

    @property
    def url(self) -> str:
        """The address that repositories lie below, without a final slash."""
        return f"http://127.0.0.1:{self._listener.server_port}"

    @property
    def requests(self) -> tuple[Request, ...]:
        """Every request since the last `reset`, in the order of their answers."""
        with self._lock:
            return tuple(self._requests)

    @property
    def bytes_down(self) -> int:
        """The bytes of all answers' bodies since the last `reset`."""
        return sum(request.down for request in self.requests)

    @property
    def bytes_up(self) -> int:
        """The bytes of all requests' bodies since the last `reset`."""
        return sum(request.up for request in self.requests)

    def reset(self) -> None:
        """Count from nothing again, and forget the faults that were not met."""
        with self._lock:
            self._requests.clear()
            self._faults.clear()

    def pass_next(self, n: int) -> None:
        """Let `n` requests through before the faults that are planned next."""
        self._plan(*[_Fault()] * n)

    def fail_next(self, n: int, status: int, *, after_effect: bool = False) -> None:
        """Answer the next `n` requests with `status`; git runs before that if `after_effect`."""
        self._plan(*[_Fault(status=status, after_effect=after_effect)] * n)

    def hang_next(self) -> None:
        """Accept the next request and never answer it."""
        self._plan(_Fault(hang=True))

    def drop_after(self, cut: int) -> None:
        """Break the connection after `cut` bytes of the next answer's body."""
        self._plan(_Fault(cut=cut))

    def _plan(self, *faults: _Fault) -> None:
        with self._lock:
            self._faults += faults

    def next_fault(self) -> _Fault:
        """The fault that the request at hand meets; an empty one for most."""
        with self._lock:
            return self._faults.pop(0) if self._faults else _Fault()

    def record(self, request: Request) -> None:
        """Count one exchange; it is called before the answer leaves, so that no count is late."""
        with self._lock:
            self._requests.append(request)

    def user(self, authorization: str) -> str | None:
        """Who a request comes from, None where it may not come in."""
        if self._users is None:
            return "anonymous"
        name, _, password = _basic(authorization).partition(":")
        return name if name and self._users.get(name) == password else None

    def backend(self, request: Mapping[str, str], body: bytes) -> _Answer:
        """What git says to a request that is given in the variables of CGI."""
        done = run_git("http-backend", env={**self._env, **request}, stdin=body)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        status = int(headers.pop("Status", "200").split()[0])
        framed = headers.get("Content-Type") == "application/x-git-upload-pack-result"
        return _Answer(status, tuple(headers.items()), _steady(content) if framed else content)


def _settings(*, tree_depth: int | None, filters: bool) -> Iterator[tuple[str, str]]:
    yield "uploadpack.allowFilter", str(filters).lower()
    yield "uploadpack.allowAnySHA1InWant", "true"
    yield "http.receivepack", "true"
    yield "safe.directory", "*"
    yield "receive.autogc", "false"
    yield "uploadpack.keepAlive", "0"  # no bytes that depend on how busy the machine is
    yield "receive.keepAlive", "0"
    yield "pack.threads", "1"
    if tree_depth is not None:
        yield "uploadpackfilter.tree.allow", "true"
        yield "uploadpackfilter.tree.maxDepth", str(tree_depth)
    if tree_depth == 0:
        yield "uploadpackfilter.combine.allow", "false"


def _steady(body: bytes) -> bytes:
    """The same answer in packets as full as can be: git ends one wherever its pipe paused."""
    out, pack, at = bytearray(), bytearray(), 0
    while at < len(body):
        try:
            size = max(int(body[at : at + 4], 16), 4)
        except ValueError:
            return body  # a client without side bands, its pack is bare
        packet = body[at : at + size]
        if packet[4:5] == _PACK_BAND:
            pack += packet[5:]
        else:
            out += _packets(pack) + packet
            pack.clear()
        at += size
    return bytes(out + _packets(pack))


def _packets(pack: bytearray) -> bytes:
    parts = (pack[at : at + _PACKET_MAX] for at in range(0, len(pack), _PACKET_MAX))
    return b"".join(b"%04x%s%s" % (len(part) + 5, _PACK_BAND, part) for part in parts)


def _basic(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(token, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


class _Listener(ThreadingHTTPServer):
    """Joins its threads at the end, having shut what clients keep open."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, owner: GitHttpServer) -> None:
        self.owner = owner
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def opened(self, connection: socket.socket) -> None:
        self._open.add(connection)
        if self.owner.closing.is_set():
            _shut(connection)

    def closed(self, connection: socket.socket) -> None:
        self._open.discard(connection)

    def hang_up(self) -> None:
        for connection in tuple(self._open):
            _shut(connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that is gone is what some tests are about."""


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # an answer would wait 40 ms for an acknowledgement
    wbufsize = -1  # header and body leave together
    server: _Listener

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        super().finish()

    def log_message(self, *_: object) -> None:
        """The records are the log."""

    def do_GET(self) -> None:
        self._exchange()

    def do_POST(self) -> None:
        self._exchange()

    def _exchange(self) -> None:
        owner, body = self.server.owner, self._body()
        time.sleep(owner.latency)
        fault = owner.next_fault()
        answer = self._answer(fault, body)
        path, _, query = self.path.partition("?")
        service = parse_qs(query).get("service", [path.rsplit("/", 1)[-1]])[0]
        down = len(answer.body) if fault.cut is None else min(fault.cut, len(answer.body))
        owner.record(Request(self.command, path, service, len(body), down, answer.status))
        if fault.hang:
            owner.closing.wait()
            self.close_connection = True
        else:
            self._send(answer, cut=fault.cut)

    def _answer(self, fault: _Fault, body: bytes) -> _Answer:
        if fault.hang:
            return _Answer(0)
        if fault.status and not fault.after_effect:
            return _Answer(fault.status)
        answer = self._allowed(body)
        return replace(answer, status=fault.status, body=b"") if fault.status else answer

    def _allowed(self, body: bytes) -> _Answer:
        owner = self.server.owner
        user = owner.user(self.headers.get("Authorization", ""))
        if user is None:
            return _Answer(401, (("WWW-Authenticate", 'Basic realm="git"'),))
        if owner.read_only and _PUSH in self.path:
            return _Answer(403)
        path, _, query = self.path.partition("?")
        return owner.backend(
            {
                "PATH_INFO": unquote(path),
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "REMOTE_USER": user,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            },
            body,
        )

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(self._chunks())
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers

    def _send(self, answer: _Answer, *, cut: int | None) -> None:
        self.send_response(answer.status)
        for key, value in answer.headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[:cut])
        self.wfile.flush()
        if cut is not None:
            self.close_connection = True
            _shut(self.connection)
