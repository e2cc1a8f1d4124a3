"""What may be vendored: a chart directory as data, judged by what Helm, Argo CD and git do with it.

Pure. Helm renders sub-charts of any version and unlisted ones, and Argo CD fetches missing ones
over the network, so a chart must be complete and exact. Packed sub-charts (`charts/*.tgz`) are
allowed where their content passes the same rules and comes from a registry: one of a `file://`
dependency is packed anew, with other bytes, by each `helm dependency build`, and no release would
equal the next. `.helmignore` is not followed here; a dependency that it hides fails the render.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitops_ci import yamldoc
from gitops_ci.errors import ConfigError, Problem
from gitops_ci.yamldoc import Document

if TYPE_CHECKING:
    from tarfile import TarInfo

MAX_FILES = 2_000
MAX_BYTES = 5 * 1024 * 1024
MAX_UNPACKED = 4 * MAX_BYTES  # of all archives together, also of those inside archives

_SEMVER = r"[0-9]+(?:\.[0-9]+){2}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
_VERSION = re.compile(rf"v?{_SEMVER}")
_EXACT = re.compile(rf"=?\s*(?P<version>v?{_SEMVER})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Dependency:
    """A sub-chart that is vendored with the chart."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What `Chart.yaml` says, and the sub-charts that lie beside it."""

    name: str
    version: str
    dependencies: tuple[Dependency, ...] = ()


@dataclass(frozen=True, slots=True)
class _Listed:
    """One entry of `dependencies`, and where it stands."""

    name: str
    version: str
    repository: str
    document: Document
    path: tuple[str | int, ...]

    def problem(self, message: str) -> Problem:
        return self.document.problem(self.path, message)


@dataclass(frozen=True, slots=True)
class _Vendored:
    """One sub-chart below `charts/`, and the entry there that it lies in."""

    chart: Chart
    entry: str


@dataclass(slots=True)
class _Findings:
    """What is collected on the way through the sub-charts."""

    problems: list[Problem]
    left: int = MAX_UNPACKED


def inspect(files: Mapping[str, bytes], *, special: Iterable[str] = (), at: str = "chart") -> Chart:
    """The chart in `files`, or one `ConfigError` with everything that forbids to vendor it.

    Paths are relative to the chart; `special` names what is neither a file nor a directory, `at` is
    what the chart's directory is called in messages.
    """
    found = _Findings([*_hostile(files, special, at), *_too_large(files, at)])
    chart = None if found.problems else _chart(files, at, found)
    if found.problems or chart is None:
        raise ConfigError(*found.problems, hint=f"mend `{at}`, then run it again")
    return chart


# --- names and kinds of files ------------------------------------------------


def _hostile(files: Iterable[str], special: Iterable[str], at: str) -> Iterator[Problem]:
    for name in sorted(special):
        if not _git_name(name):
            message = "is a symbolic link or a special file; only regular files are vendored"
            yield _problem(f"{at}/{name}", message)
    for name in sorted({*files, *special}):
        fault = _git_name(name) or _name_fault(name)
        if fault:
            yield _problem(f"{at}/{name}", fault)


def _problem(name: str, message: str) -> Problem:
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    return Problem(shown, 0, "", message)


def _git_name(name: str) -> str | None:
    for part in name.split("/"):
        folded = part.casefold()
        if folded in {".git", ".gitmodules"}:
            return "belongs to a repository of its own; submodules are not vendored"
        if folded.startswith(".git"):
            return "would steer git in the ops repository"
        if folded.startswith(".argocd-source"):
            return "would be merged over the Argo CD Application"
    return None


def _name_fault(name: str) -> str | None:
    if any("\ud800" <= c <= "\udfff" for c in name):
        return "has a name that is not UTF-8"
    if any(unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"} for c in name):
        return "has control or invisible characters in its name"
    if "\\" in name or ":" in name:
        return "has a `\\` or `:` in its name, which Windows reads as a path"
    return next((fault for part in name.split("/") if (fault := _part_fault(part))), None)


def _part_fault(part: str) -> str | None:
    if part in {"", ".", ".."}:
        return "has no clean relative path"
    if part[-1] in ". ":
        return "has a name that ends with a dot or a space, which Windows drops"
    if re.search(r"~[0-9]", part):
        return "has a name that Windows may take for the short name of another file"
    if len(part.encode()) > 255:
        return "has a name of more than 255 bytes"
    return None


def _too_large(files: Mapping[str, bytes], at: str) -> Iterator[Problem]:
    if len(files) > MAX_FILES:
        yield Problem(at, 0, "", f"{len(files)} files where {MAX_FILES} are allowed")
    size = sum(map(len, files.values()))
    if size > MAX_BYTES:
        largest = max(files, key=lambda name: len(files[name]))
        message = f"{size} bytes where {MAX_BYTES} are allowed; the largest file is `{largest}`"
        yield Problem(at, 0, "", message)


# --- Chart.yaml --------------------------------------------------------------


def _chart(files: Mapping[str, bytes], at: str, found: _Findings) -> Chart | None:
    """The chart in a directory or archive, its sub-charts included; None where it has no name."""
    if "Chart.yaml" not in files:
        found.problems.append(_problem(f"{at}/Chart.yaml", "is missing"))
        return None
    try:
        document = _document(files, "Chart.yaml", at)
        faults = tuple(_metadata_faults(document))
        listed, locked = tuple(_listed(files, document, at)), _locked(files, at)
    except ConfigError as error:
        found.problems.extend(error.problems)
        return None
    vendored = tuple(_vendored(files, at, found))
    found.problems.extend((*faults, *_dependency_faults(listed, vendored, locked, at)))
    if faults:
        return None
    dependencies = tuple(Dependency(each.chart.name, each.chart.version) for each in vendored)
    return Chart(document.value["name"], document.value["version"], dependencies)


def _document(files: Mapping[str, bytes], name: str, at: str) -> Document:
    document = yamldoc.load(files[name], source=f"{at}/{name}")
    if not isinstance(document.value, dict):
        raise ConfigError(document.problem((), "must be a mapping"))
    return document


def _metadata_faults(document: Document) -> Iterator[Problem]:
    value = document.value
    if value.get("apiVersion") not in {"v1", "v2"}:
        yield document.problem(("apiVersion",), "must be `v1` or `v2`")
    if not _matches(_NAME, value.get("name")):
        yield document.problem(("name",), "must be a name of letters, digits, `.`, `_` and `-`")
    if not _matches(_VERSION, value.get("version")):
        yield document.problem(("version",), "must be a text with three numbers, like `1.8.2`")


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and bool(pattern.fullmatch(value))


def _listed(files: Mapping[str, bytes], chart: Document, at: str) -> Iterator[_Listed]:
    """The dependencies; Helm reads `requirements.yaml` over `Chart.yaml`, whatever apiVersion."""
    document = chart
    if "requirements.yaml" in files:
        document = _document(files, "requirements.yaml", at)
        for key in document.value.keys() - {"dependencies"}:
            raise ConfigError(document.problem((key,), "has no place here; Helm would obey it"))
    for number, entry in enumerate(_list(document, "dependencies")):
        path = ("dependencies", number)
        name, version = entry.get("name"), entry.get("version", "")
        if not isinstance(name, str) or not isinstance(version, str):
            message = "needs a `name` and a `version` that are text"
            raise ConfigError(document.problem(path, message))
        yield _Listed(name, version, str(entry.get("repository", "")), document, path)


def _list(document: Document, key: str) -> list[dict[str, Any]]:
    entries = document.value.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise ConfigError(document.problem((key,), "must be a list of mappings"))
    return entries


def _locked(files: Mapping[str, bytes], at: str) -> Mapping[str, frozenset[str]]:
    """The versions that a lock file names, by sub-chart."""
    locked: dict[str, frozenset[str]] = {}
    for name in ("requirements.lock", "Chart.lock"):
        if name in files:
            for entry in _list(_document(files, name, at), "dependencies"):
                key, version = str(entry.get("name")), str(entry.get("version"))
                locked[key] = locked.get(key, frozenset()) | {version}
    return locked


# --- sub-charts --------------------------------------------------------------


def _vendored(files: Mapping[str, bytes], at: str, found: _Findings) -> Iterator[_Vendored]:
    """The charts below `charts/`, as Helm finds them: directories and archives."""
    for entry, inner in _entries(files).items():
        where = f"{at}/charts/{entry}"
        try:
            chart = _chart(_content(entry, inner, where, found), where, found)
        except ConfigError as error:
            found.problems.extend(error.problems)
            continue
        if chart:
            yield _Vendored(chart, entry)


def _entries(files: Mapping[str, bytes]) -> dict[str, dict[str, bytes]]:
    """What lies directly below `charts/`; a plain file has one entry with an empty name.

    Helm ignores names that begin with `.` or `_`, and provenance files.
    """
    entries: dict[str, dict[str, bytes]] = {}
    for name, content in files.items():
        first, _, rest = name.removeprefix("charts/").partition("/")
        if name.startswith("charts/") and first[0] not in "._" and not first.endswith(".prov"):
            entries.setdefault(first, {})[rest] = content
    return dict(sorted(entries.items()))


def _content(
    entry: str, inner: Mapping[str, bytes], where: str, found: _Findings
) -> Mapping[str, bytes]:
    if "" not in inner:
        return inner
    if not entry.endswith(".tgz"):
        raise ConfigError(_problem(where, "is no chart, and Helm refuses it here"))
    return _archived(inner[""], where, found)


def _archived(data: bytes, where: str, found: _Findings) -> Mapping[str, bytes]:
    """The files of a packed chart, without its own directory; nothing is believed of it."""
    import tarfile

    raw = _unpacked(data, where, found)
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as archive:
            for member in archive:
                name = _member_name(member, where)
                if name in files:  # Helm and we might choose another one of the two
                    raise ConfigError(_problem(f"{where}!{name}", "is there twice"))
                if member.isfile() and (stream := archive.extractfile(member)):
                    files[name] = stream.read()
    except (tarfile.TarError, OSError, ValueError) as error:
        raise ConfigError(_problem(where, "is not a packed chart")) from error
    return files


def _unpacked(data: bytes, where: str, found: _Findings) -> bytes:
    import gzip
    import zlib

    try:
        with gzip.open(io.BytesIO(data)) as stream:
            raw = stream.read(found.left + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(_problem(where, "is not a packed chart")) from error
    if len(raw) > found.left:
        raise ConfigError(_problem(where, f"unpacks to more than {MAX_UNPACKED} bytes"))
    found.left -= len(raw)
    return raw


def _member_name(member: TarInfo, where: str) -> str:
    """Its path in the chart."""
    name = f"{where}!{member.name}"
    if not (member.isfile() or member.isdir()) or member.issparse():
        raise ConfigError(_problem(name, "is a link or a special file"))
    if fault := _name_fault(member.name):
        raise ConfigError(_problem(name, fault))
    _, slash, rest = member.name.partition("/")
    if member.isfile() and not slash:
        raise ConfigError(_problem(name, "lies outside of the chart's directory"))
    return rest


def _dependency_faults(
    listed: tuple[_Listed, ...],
    vendored: tuple[_Vendored, ...],
    locked: Mapping[str, frozenset[str]],
    at: str,
) -> Iterator[Problem]:
    for each in listed:
        there = [v for v in vendored if v.chart.name == each.name]
        fault = _fault(each, there, locked.get(each.name, frozenset()))
        if fault:
            yield each.problem(fault)
    names = {each.name for each in listed}
    for extra in vendored:
        # without any list the directory itself is the list
        if names and extra.chart.name not in names:
            message = "is not listed in `dependencies`, yet Helm renders it"
            yield _problem(f"{at}/charts/{extra.entry}", message)


def _fault(each: _Listed, there: list[_Vendored], locked: frozenset[str]) -> str | None:
    if not there:
        return f"`{each.name}` is not in `charts/`; run `helm dependency build`, commit the result"
    exact = _EXACT.fullmatch(each.version)
    wanted = {exact["version"]} if exact else locked
    found = {v.chart.version for v in there}
    if wanted and not {_bare(v) for v in wanted} & {_bare(v) for v in found}:
        return f"`{each.name}` lies in `charts/` as {_told(found)} where {_told(wanted)} is wanted"
    if each.repository.startswith("file:") and any(v.entry.endswith(".tgz") for v in there):
        return f"`{each.name}` comes from `file:` and is packed anew each time; unpack it"
    return None


def _bare(version: str) -> str:
    """A version as Helm compares it: without `v` and build metadata."""
    return version.removeprefix("v").partition("+")[0]


def _told(versions: Iterable[str]) -> str:
    return ", ".join(f"`{version}`" for version in sorted(versions))
