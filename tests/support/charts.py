"""Charts as data, the sample application, and the Helm that the tests run."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from gitops_ci import files
from gitops_ci.helm import Helm, find

STAGES = ("itg", "tst", "perf", "prod")
KUBE_VERSION = "1.34.0"


def real_helm(shared: Path) -> Helm:
    """The real one; unpacked to `shared` where none is installed."""
    env = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return find(env, cache=shared / "helm")


def sample() -> dict[str, bytes]:
    """The sample application's files, by their path in a dev repository."""
    with resources.as_file(resources.files("gitops_ci") / "templates" / "sample") as root:
        return dict(files.walk(root).files)


def stage_directory() -> dict[str, bytes]:
    """The sample as it lies in a stage directory."""
    deployed = {n: c for n, c in sample().items() if n.startswith("deploy/")}
    return {f"release/{name.removeprefix('deploy/')}": c for name, c in deployed.items()}


def chart_yaml(name: str = "web", version: str = "1.8.2", more: str = "") -> bytes:
    return f"apiVersion: v2\nname: {name}\nversion: {version}\n{more}".encode()


def packed(content: Mapping[str, bytes], *, directory: str = "redis") -> bytes:
    """A chart as `helm package` makes it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(f"{directory}/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()
