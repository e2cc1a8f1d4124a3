"""Holds: files in the ops repository with which people stop a release, an application or a stage.

Pure. Reads one file's text; which files there are is for others to know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gitops_ci import names, yamldoc
from gitops_ci.schemas import Fault, refuse, validate
from gitops_ci.yamltree import shown

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True, slots=True)
class Hold:
    """Stops what matches all of the scopes that it names; it names at least one."""

    name: str
    reason: str
    owner: str
    release: str | None = None
    app: str | None = None
    stage: str | None = None

    def stops(self, *, app: str, stage: str, release: str) -> bool:
        """Whether this release of this application may not enter this stage."""
        asked = ((self.app, app), (self.stage, stage), (self.release, release))
        return all(scope is None or scope == found for scope, found in asked)

    @property
    def scope(self) -> str:
        """What it stops, for a sentence: "every release of `shop-web` in `prod`"."""
        what = f"release `{self.release}`" if self.release else "every release"
        whose = f" of `{self.app}`" if self.app else ""
        where = f" in `{self.stage}`" if self.stage else " in every stage"
        return what + whose + where


def parse_hold(text: str | bytes, *, source: str) -> Hold:
    """Read `holds/<name>.yaml`; `ConfigError` names file, line and path of every finding."""
    document = yamldoc.load(text, source=source)
    validate("hold", document)
    value = document.value
    hold = Hold(
        name=_stem(source),
        reason=value["reason"],
        owner=value["owner"],
        release=value.get("release"),
        app=value.get("app"),
        stage=value.get("stage"),
    )
    refuse("hold", document, _faults(hold))
    return hold


def _stem(source: str) -> str:
    name = source.rpartition("/")[2]
    return name.removesuffix(".yaml").removesuffix(".yml")


def _faults(hold: Hold) -> Iterator[Fault]:
    if not _NAME.fullmatch(hold.name) or ".." in hold.name or hold.name.endswith((".lock", ".")):
        yield (), f"`{shown(hold.name)}` cannot name a hold: letters, digits, `.`, `_` and `-`"
    if hold.app and (fault := names.app_fault(hold.app)):
        yield ("app",), fault
    if hold.stage and (fault := names.stage_fault(hold.stage)):
        yield ("stage",), fault
    if hold.release and hold.app and not hold.release.startswith(f"{hold.app}-"):
        yield ("release",), f"`{hold.release}` is no release of `{hold.app}`"
