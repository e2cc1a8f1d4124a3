"""`init app` and `init ops`: what a repository needs, written where it is missing.

Files that are there are read, never changed; the configuration among them decides about the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from gitops_ci import config, files, names, scaffold
from gitops_ci.errors import ConfigError, Exit
from gitops_ci.layout import CONFIG
from gitops_ci.manifests import Source, Teams
from gitops_ci.scaffold import Change, Forge, NewFile


@dataclass(frozen=True, slots=True)
class Result:
    """Paths by what became of them; `missing` only where nothing was to be written.

    `stray` are manifests of stages that the configuration does not name any more.
    """

    written: tuple[str, ...]
    missing: tuple[str, ...]
    unchanged: tuple[str, ...]
    differs: tuple[str, ...]
    check: bool
    stray: tuple[str, ...] = ()

    @property
    def exit_code(self) -> Exit:
        drifted = self.check and (self.missing or self.differs or self.stray)
        return Exit.FAILED if drifted else Exit.DONE


def app(
    root: Path,
    *,
    name: str | None = None,
    ops_project: str | None = None,
    stages: tuple[str, ...] = scaffold.STAGES,
    check: bool = False,
) -> Result:
    """Prepare a dev repository. Without `name` the folder names the application."""
    scaffold.check_stages(stages)
    if name is not None and (fault := names.app_fault(name)):
        raise ConfigError(f"`{name}` cannot name an application: {fault}")
    text = _config(
        root,
        lambda: scaffold.app_config(
            name or scaffold.app_name(root.resolve().name), ops_project=ops_project
        ),
    )
    found = config.parse_application(text, source=CONFIG)
    _agree("name", name, found.name)
    _agree("ops.project", ops_project, found.ops_project)
    wanted = scaffold.files_for_app(
        found,
        config=text,
        stages=stages,
        with_chart=not (root / found.chart / "Chart.yaml").exists(),
    )
    return _carry_out(root, wanted, check=check)


def ops(
    root: Path,
    *,
    forge: Forge | None = None,
    url: str | None = None,
    branch: str = "main",
    stages: tuple[str, ...] | None = None,
    platform: str = "platform",
    operations: str = "operations",
    check: bool = False,
) -> Result:
    """Prepare an ops repository; `url` is needed until its configuration names one.

    Without `forge` it is the one whose file of code owners is there, else both.
    """
    text = _config(
        root,
        lambda: scaffold.ops_config(_needed(url), scaffold.STAGES if stages is None else stages),
    )
    found = config.parse_ops(text, source=CONFIG)
    _agree("url", url, found.url)
    _agree("stages", stages, tuple(stage.name for stage in found.stages))
    source = Source(_needed(found.url or url), branch)
    teams = Teams(platform, operations, group=scaffold.group_of(source.url))
    kind = forge or scaffold.forge_of(root)
    wanted = scaffold.files_for_ops(found, source, config=text, forge=kind, teams=teams)
    result = _carry_out(root, wanted, check=check)
    return replace(result, stray=scaffold.stray(root, wanted))


def _config(root: Path, new: Callable[[], str]) -> str:
    """The configuration that is there, else a new one."""
    if not root.is_dir():
        raise ConfigError(f"`{root}` is not a directory")
    path = root / CONFIG
    return files.read_text(path) if path.exists() else new()


def _needed(url: str | None) -> str:
    if not url:
        raise ConfigError(
            "the address that Argo CD clones this repository from is not known",
            hint="name it: `gitops-ci init ops --url https://git.example.com/shop/ops.git`",
        )
    return Source(url).url


def _agree(key: str, asked: object, found: object) -> None:
    """An option that says something else than the file is a mistake on one of the sides."""
    if asked is None or found is None or asked == found:
        return
    raise ConfigError(
        f"`{CONFIG}` is there already, and its `{key}` is `{_shown(found)}`, not `{_shown(asked)}`",
        hint=f"leave the option out, or change `{CONFIG}` and run it again",
    )


def _shown(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _carry_out(root: Path, wanted: tuple[NewFile, ...], *, check: bool) -> Result:
    planned = scaffold.plan(scaffold.look(root, (file.path for file in wanted)), wanted)
    if not check:
        scaffold.write(root, planned)
    paths = {change: tuple(p.file.path for p in planned if p.change is change) for change in Change}
    return Result(
        written=() if check else paths[Change.CREATE],
        missing=paths[Change.CREATE] if check else (),
        unchanged=paths[Change.UNCHANGED],
        differs=paths[Change.DIFFERS],
        check=check,
    )
