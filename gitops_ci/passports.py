"""The passport, `release.yaml`: what a release is and where it was tested.

Pure. There is one way to write it, so equal passports are equal bytes, and it holds no times and no
URLs, so the same promotion made twice is the same file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from gitops_ci import config, names, yamldoc
from gitops_ci.errors import ConfigError
from gitops_ci.yamltree import shown


class Result(StrEnum):
    """How a suite ended."""

    PASSED = "passed"
    FAILED = "failed"


class By(StrEnum):
    """Who says so: the dev pipeline, or the ops side that has read the job."""

    CLAIMED = "claimed"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """One suite's result in one stage."""

    stage: str
    suite: str
    result: Result
    by: By


@dataclass(frozen=True, slots=True)
class ImageRef:
    """One image of the release: `name`, and the reference it runs from."""

    name: str
    ref: str


@dataclass(frozen=True, slots=True)
class ChartRef:
    """Name and version of the vendored chart."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a release comes from: project and commit of the dev repository."""

    project: str
    commit: str
    merge_request: int | None = None


@dataclass(frozen=True, slots=True)
class Passport:
    """`release.yaml`: what the release is and where it was tested."""

    app: str
    id: str
    tree: str
    images: tuple[ImageRef, ...]
    chart: ChartRef
    source: Source
    evidence: tuple[EvidenceLine, ...] = ()

    @property
    def version(self) -> str:
        """The version inside the id."""
        return self.id[len(self.app) + 1 : -names.TREE_DIGITS - 1]

    def with_evidence(self, lines: Iterable[EvidenceLine]) -> Passport:
        """The same release with more lines, one a stage and suite; a claim replaces no fact."""
        kept: dict[tuple[str, str], EvidenceLine] = {}
        for line in (*self.evidence, *lines):
            known = kept.get((line.stage, line.suite))
            if line.by is By.VERIFIED or known is None or known.by is By.CLAIMED:
                kept[line.stage, line.suite] = line
        return replace(self, evidence=tuple(kept.values()))


_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*|[0-9][0-9a-z._-]*")
_TYPED = re.compile(
    r"[0-9][0-9._]*(?:[eE][-+]?[0-9]+)?|[0-9]{4}-[0-9-]+|0x[0-9a-fA-F_]+|0o[0-7_]+|0b[01_]+|(?i:true|false|yes|no|on|off|null|y|n)"
)


def dump(passport: Passport) -> str:
    """The passport as text: one way to write it, so that equal passports are equal bytes."""
    lines = [
        "apiVersion: gitops-ci/v1",
        "kind: Release",
        f"app: {_scalar(passport.app)}",
        f"id: {_scalar(passport.id)}",
        f"tree: {_scalar(passport.tree)}",
        *_block("images", (_flow(name=image.name, ref=image.ref) for image in passport.images)),
        f"chart: {_flow(name=passport.chart.name, version=passport.chart.version)}",
        f"source: {_source(passport.source)}",
        *_block("evidence", (_evidence(line) for line in passport.evidence)),
    ]
    return "\n".join(lines) + "\n"


def _flow(**fields: str) -> str:
    return "{" + ", ".join(f"{key}: {_scalar(value)}" for key, value in fields.items()) + "}"


def _block(key: str, items: Iterable[str]) -> list[str]:
    lines = [f"  - {item}" for item in items]
    return [f"{key}:", *lines] if lines else [f"{key}: []"]


def _source(source: Source) -> str:
    number = f", merge_request: {source.merge_request}" if source.merge_request else ""
    return f"{{project: {_scalar(source.project)}, commit: {_scalar(source.commit)}{number}}}"


def _evidence(line: EvidenceLine) -> str:
    return (
        f"{{stage: {_scalar(line.stage)}, suite: {_scalar(line.suite)}, "
        f"result: {line.result}, by: {line.by}}}"
    )


@lru_cache(maxsize=4096)  # of many passports most words are the same
def _scalar(text: str) -> str:
    plain = _PLAIN.fullmatch(text) and not _TYPED.fullmatch(text)
    return text if plain else json.dumps(text)


def parse(text: str | bytes, *, source: str) -> Passport:
    """Read a passport; `ConfigError` names file, line and path of every finding."""
    written = _parse_written(text)
    if written:
        return written
    document = yamldoc.load(text, source=source)
    config.validate("release", document)
    passport = _passport(document.value)
    fault = _identity_fault(passport)
    if fault:
        raise ConfigError(document.problem(fault[0], fault[1]))
    return passport


def _passport(value: Any) -> Passport:
    return Passport(
        app=value["app"],
        id=value["id"],
        tree=value["tree"],
        images=tuple(ImageRef(item["name"], item["ref"]) for item in value["images"]),
        chart=ChartRef(value["chart"]["name"], value["chart"]["version"]),
        source=Source(
            value["source"]["project"],
            value["source"]["commit"],
            value["source"].get("merge_request"),
        ),
        evidence=tuple(
            EvidenceLine(item["stage"], item["suite"], Result(item["result"]), By(item["by"]))
            for item in value.get("evidence", ())
        ),
    )


# As `dump` writes it and the schema allows it; whether quotes belong somewhere, `dump` tells.
_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_COMMIT = r"[0-9a-f]{40}"
_PROJECT = r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)+"
_SUITE = r"[A-Za-z0-9](?:[A-Za-z0-9 ._:/-]{0,62}[A-Za-z0-9])?"
_IMAGE_LINE = re.compile(rf'{{name: "?({_LABEL})"?, ref: "?([!#-\[\]-~]{{1,512}}?)"?}}\n')
_EVIDENCE_LINE = re.compile(
    rf'{{stage: "?({_LABEL})"?, suite: "?({_SUITE})"?, '
    rf"result: (passed|failed), by: (claimed|verified)}}\n"
)
_WRITTEN = re.compile(
    rf'apiVersion: gitops-ci/v1\nkind: Release\napp: "?(?P<app>{_LABEL})"?\n'
    rf'id: "?(?P<id>[a-z0-9][A-Za-z0-9._-]{{0,130}})"?\ntree: "?(?P<tree>{_COMMIT})"?\n'
    rf"images:(?: \[\]\n|\n(?P<images>(?:  - .+\n)+))"
    rf'chart: {{name: "?(?P<chart>[A-Za-z0-9][A-Za-z0-9._-]{{0,249}})"?, '
    rf'version: "?(?P<version>[A-Za-z0-9][A-Za-z0-9.+_-]{{0,99}})"?}}\n'
    rf'source: {{project: "?(?P<project>{_PROJECT})"?, commit: "?(?P<commit>{_COMMIT})"?'
    rf"(?:, merge_request: (?P<request>[1-9][0-9]{{0,17}}))?}}\n"
    rf"evidence:(?: \[\]\n|\n(?P<evidence>(?:  - .+\n)+))"
)
_WRITTEN_LIMIT = 64 * 1024


def _parse_written(text: str | bytes) -> Passport | None:
    """Read what `dump` wrote, some hundred times quicker than YAML; None for any other text.

    Half of a look at all stages is reading passports. Whatever is unusual, right or wrong, is left
    to the YAML reader.
    """
    text = text if isinstance(text, str) else text.decode("ascii", "replace")
    found = _WRITTEN.fullmatch(text) if len(text) <= _WRITTEN_LIMIT else None
    if not found or len(found["project"]) > names.PROJECT_LIMIT:
        return None
    images = _IMAGE_LINE.findall(found["images"] or "")
    evidence = _EVIDENCE_LINE.findall(found["evidence"] or "")
    if any(len(name) > 63 for name, _ in images) or any(len(line[0]) > 30 for line in evidence):
        return None
    request = found["request"]
    passport = Passport(
        app=found["app"],
        id=found["id"],
        tree=found["tree"],
        images=tuple(ImageRef(*image) for image in images),
        chart=ChartRef(found["chart"], found["version"]),
        source=Source(found["project"], found["commit"], int(request) if request else None),
        evidence=tuple(
            EvidenceLine(stage, suite, Result(result), By(by))
            for stage, suite, result, by in evidence
        ),
    )
    is_ours = not _identity_fault(passport) and dump(passport) == text
    return passport if is_ours else None


def _identity_fault(passport: Passport) -> tuple[tuple[str, ...], str] | None:
    if names.app_fault(passport.app):
        return ("app",), f"`{shown(passport.app)}` cannot name an application"
    if not names.is_commit(passport.tree):
        return ("tree",), "is not a full git id"
    expected = names.release_id(passport.app, passport.version, passport.tree)
    if passport.id != expected or names.version_fault(passport.version):
        return ("id",), f"`{shown(passport.id)}` is not app, version and first digits of `tree`"
    return None
