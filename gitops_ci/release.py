"""The release: one git tree that is promoted, made from chart, values and image references.

Pure. Identity is content: the id of the tree that `release/` is in git.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gitops_ci import names, yamledit
from gitops_ci.config import Application, ImageKeys, Stage
from gitops_ci.errors import ConfigError, Problem
from gitops_ci.passports import ChartRef, ImageRef, Passport, Source
from gitops_ci.yamltree import shown

CHART = "chart"
VALUES = "values.yaml"
STAGE_VALUES = "values"


@dataclass(frozen=True, slots=True)
class Release:
    """A release made from a dev repository: its passport and the files of its tree."""

    passport: Passport
    files: Mapping[str, bytes]


# --- the tree ----------------------------------------------------------------


def tree_id(files: Mapping[str, bytes]) -> str:
    """The id git gives a directory with these files, all of mode 100644."""
    nested: dict[str, dict[str, bytes]] = {}
    entries: list[tuple[bytes, bytes]] = []
    for path, content in files.items():
        head, slash, rest = path.partition("/")
        if slash:
            nested.setdefault(head, {})[rest] = content
        else:
            entries.append((head.encode(), _entry(b"100644", head, _object(b"blob", content))))
    for name, inner in nested.items():
        entry = _entry(b"40000", name, bytes.fromhex(tree_id(inner)))
        entries.append((name.encode() + b"/", entry))  # git sorts directories as if they ended so
    return _object(b"tree", b"".join(entry for _, entry in sorted(entries))).hex()


def _entry(mode: bytes, name: str, oid: bytes) -> bytes:
    return mode + b" " + name.encode() + b"\0" + oid


def _object(kind: bytes, content: bytes) -> bytes:
    header = kind + b" %d\0" % len(content)
    return hashlib.sha1(header + content, usedforsecurity=False).digest()


# --- images ------------------------------------------------------------------

_REF = re.compile(
    r"(?P<repository>(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True, slots=True)
class ImageParts:
    """An image reference taken apart."""

    repository: str
    tag: str | None
    digest: str | None


def parse_ref(ref: str, *, source: str) -> ImageParts:
    """Take an image reference apart; `source` names where it came from in the error."""
    match = _REF.fullmatch(ref)
    if not match or len(ref) > 512:
        raise ConfigError(
            Problem(source, 0, "", f"`{shown(ref)}` is not an image reference"),
            hint="write `registry.example.com/group/image:tag@sha256:<64 digits>`",
        )
    return ImageParts(match["repository"], match["tag"], match["digest"])


def image_edits(keys: ImageKeys, parts: ImageParts) -> dict[str, str]:
    """What is written at which key of values.yaml for one image."""
    wanted = {
        keys.repository: parts.repository,
        keys.digest: parts.digest,
        keys.tag: _tag(parts, own_digest_key=keys.digest is not None),
    }
    missing = [key for key, value in wanted.items() if key and value is None]
    if missing:
        raise ConfigError(
            Problem(f"image {keys.name}", 0, "", f"its reference has nothing for `{missing[0]}`"),
            hint="give tag and digest: `--image NAME=REPOSITORY:TAG@sha256:…`",
        )
    return {key: value for key, value in wanted.items() if key and value}


def _tag(parts: ImageParts, *, own_digest_key: bool) -> str | None:
    if parts.digest is None or own_digest_key or parts.tag is None:
        return parts.tag
    return f"{parts.tag}@{parts.digest}"


# --- making a release --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Material:
    """What a dev repository puts into a release: file contents, paths already stripped."""

    chart: Mapping[str, bytes]
    values: bytes
    stage_values: Mapping[str, bytes]  # by stage name
    values_path: str
    stage_values_path: str


def build(
    app: Application,
    material: Material,
    *,
    chart: ChartRef,
    images: Mapping[str, str],
    version: str,
    source: Source,
    stages: Iterable[Stage],
    allow_tags: bool,
) -> Release:
    """Make the release of one commit. `images` maps an image's name to its reference."""
    _check_words(version, source)
    _require_stage_values(material, stages)
    refs = tuple(ImageRef(keys.name, _image(keys, images)) for keys in app.images)
    values = _spliced(app, material, refs, allow_tags=allow_tags)
    files = {f"{CHART}/{path}": content for path, content in material.chart.items()}
    files[VALUES] = values
    for name, content in material.stage_values.items():
        files[f"{STAGE_VALUES}/{name}.yaml"] = content
    tree = tree_id(files)
    passport = Passport(
        app.name, names.release_id(app.name, version, tree), tree, refs, chart, source
    )
    return Release(passport, files)


def _check_words(version: str, source: Source) -> None:
    faults = (
        ("version", version, names.version_fault(version)),
        ("project", source.project, names.project_fault(source.project)),
    )
    problems = [
        Problem(what, 0, "", f"`{shown(text)}`: {fault}") for what, text, fault in faults if fault
    ]
    if problems:
        raise ConfigError(*problems)


def _require_stage_values(material: Material, stages: Iterable[Stage]) -> None:
    problems = [
        Problem(
            f"{material.stage_values_path}/{stage.name}.yaml",
            0,
            "",
            f"stage `{stage.name}` has no values file",
        )
        for stage in stages
        if stage.name not in material.stage_values
    ]
    if problems:
        raise ConfigError(*problems, hint="add the file; it may be empty (`{}`)")


def _image(keys: ImageKeys, images: Mapping[str, str]) -> str:
    ref = images.get(keys.name)
    if ref:
        return ref
    variable = names.image_variable(keys.name)
    raise ConfigError(
        Problem(f"image {keys.name}", 0, "", "no reference was given"),
        hint=f"pass `--image {keys.name}=REPOSITORY:TAG@sha256:…` or set `{variable}`",
    )


def _spliced(
    app: Application, material: Material, refs: tuple[ImageRef, ...], *, allow_tags: bool
) -> bytes:
    edits: dict[str, str] = {}
    for keys, image in zip(app.images, refs, strict=True):
        parts = parse_ref(image.ref, source=f"image {image.name}")
        if parts.digest is None and not allow_tags:
            raise ConfigError(
                Problem(f"image {image.name}", 0, "", f"`{image.ref}` has no digest"),
                hint="append `@sha256:…`, or let the stage's owners set `allow-tags: true`",
            )
        edits.update(image_edits(keys, parts))
    if not edits:
        return material.values
    text = _decoded(material.values, material.values_path)
    return yamledit.set_scalars(text, edits, source=material.values_path).encode()


def _decoded(raw: bytes, path: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(Problem(path, 0, "", "is not UTF-8")) from error
