"""Rendering stage directories: equal to Helm's own output, once for equal content."""

from __future__ import annotations

import difflib
import subprocess  # noqa: TID251 - the yardstick is Helm itself
from dataclasses import replace
from pathlib import Path

import pytest

from gitops_ci import config, files
from gitops_ci.errors import ConfigError, GitopsCiError
from gitops_ci.helm import Helm
from gitops_ci.render import Target, diff, difference, render, render_many
from gitops_ci.resources import Change, RenderedDiff
from tests.support.charts import KUBE_VERSION, STAGES, stage_directory

SETTINGS = config.Render(kube_version=KUBE_VERSION)


def target(stage: str = "tst") -> Target:
    return Target(stage_directory(), stage, "shop-web", "shop")


def changed(before: Target, edits: dict[str, tuple[str, str]]) -> Target:
    """The target with texts replaced in some files."""
    content = dict(before.files)
    for name, (old, new) in edits.items():
        assert old.encode() in content[name]
        content[name] = content[name].replace(old.encode(), new.encode())
    return replace(before, files=content)


def yardstick(helm: Helm, root: Path, side: Target) -> dict[str, list[str]]:
    """What Helm prints, by the template that it comes from: no code of ours but the path."""
    files.write_tree(root, side.files)
    argv = [
        str(helm.path), "template", ".", "--name-template", side.app, "--namespace", side.namespace,
        "--kube-version", KUBE_VERSION, "--include-crds",
        "--values", f"{root}/release/values.yaml",
        "--values", f"{root}/release/values/{side.stage}.yaml",
    ]  # fmt: skip
    if "values-ops.yaml" in side.files:
        argv += ["--values", f"{root}/values-ops.yaml"]
    done = subprocess.run(
        argv, cwd=root / "release/chart", capture_output=True, text=True, check=True
    )
    found = {}
    for document in done.stdout.split("---\n# Source: ")[1:]:
        source, *lines = document.rstrip().splitlines()
        found[source] = lines
    return found


def counting(helm: Helm, directory: Path) -> Helm:
    """The same Helm, leaving a file for each start."""
    script = directory / "helm"
    script.write_text(
        f'#!/bin/sh\nmktemp {directory}/run.XXXXXX > /dev/null\nexec {helm.path} "$@"\n'
    )
    script.chmod(0o755)
    return Helm(script, {"PATH": "/bin:/usr/bin"})


def runs(directory: Path) -> int:
    return len(list(directory.glob("run.*")))


# --- rendering ---------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_of_the_sample_renders(helm: Helm, stage: str) -> None:
    found = {each.key.kind for each in render(helm, target(stage), render=SETTINGS).resources}
    assert found == {"ConfigMap", "Deployment", "Ingress", "Service"}


def test_release_name_and_namespace_reach_the_chart(helm: Helm) -> None:
    rendered = render(helm, target(), render=SETTINGS)
    assert {each.key.name for each in rendered.resources} == {"shop-web"}


@pytest.mark.parametrize(
    "edits",
    [
        {"release/values.yaml": ("tag: latest", "tag: 2.14.0")},
        {"release/values/tst.yaml": ("replicas: 2", "replicas: 5")},
        {"release/values/tst.yaml": ("host: shop.tst.example.com", 'host: ""')},
        {
            "release/chart/Chart.yaml": ("version: 1.8.2", "version: 1.9.0"),
            "release/chart/templates/service.yaml": ("kind: Service", "kind: NewService"),
        },
    ],
)
def test_the_difference_is_that_of_two_runs_of_helm(
    tmp_path: Path, helm: Helm, edits: dict[str, tuple[str, str]]
) -> None:
    old, new = target(), changed(target(), edits)
    sides = []
    for number, side in enumerate((old, new)):
        (tmp_path / str(number)).mkdir()
        sides.append(yardstick(helm, tmp_path / str(number), side))
    before, after = ({_named(lines): lines for lines in side.values()} for side in sides)
    expected = {
        name: list(difflib.unified_diff(before.get(name, []), after.get(name, []), lineterm=""))[2:]
        for name in before.keys() | after.keys()
    }
    found = difference(helm, old, new, render=SETTINGS)
    assert {f"kind: {each.kind}": each.text.splitlines() for each in found.resources} == {
        name: lines for name, lines in expected.items() if lines
    }
    assert found.resources


def _named(lines: list[str]) -> str:
    return next(line for line in lines if line.startswith("kind: "))


def test_values_of_operations_win_over_those_of_the_release(helm: Helm) -> None:
    overridden = replace(target(), files={**target().files, "values-ops.yaml": b"replicas: 9\n"})
    found = difference(helm, target(), overridden, render=SETTINGS)
    (deployment,) = found.resources
    assert "+  replicas: 9" in deployment.text.splitlines()


def test_everything_is_added_in_a_stage_without_a_release(helm: Helm) -> None:
    found = difference(helm, None, target(), render=SETTINGS)
    assert {each.change for each in found.resources} == {Change.ADDED}
    assert len(found.resources) == 4


def test_a_removed_template_is_a_removed_resource(helm: Helm) -> None:
    fewer = {n: c for n, c in target().files.items() if not n.endswith("service.yaml")}
    found = difference(helm, target(), replace(target(), files=fewer), render=SETTINGS)
    assert [(each.change, each.kind) for each in found.resources] == [(Change.REMOVED, "Service")]


def test_a_rendered_secret_is_named_and_its_value_hidden(helm: Helm) -> None:
    text = (
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {{ .Release.Name }}-db\n"
        "stringData:\n  password: {{ .Values.greeting | quote }}\n"
    )
    content = {**target().files, "release/chart/templates/secret.yaml": text.encode()}
    new = replace(target(), files=content)
    other = changed(new, {"release/values.yaml": ("Welcome to the shop", "hunter2")})
    found = difference(helm, new, other, render=SETTINGS)
    secret = next(each for each in found.resources if each.kind == "Secret")
    assert found.plain_secrets == ("shop-web-db",)
    assert "hunter2" not in secret.text
    assert "Welcome" not in secret.text
    assert len(secret.text.splitlines()) > 2


# --- once for equal content --------------------------------------------------


def test_equal_sides_are_rendered_once(tmp_path: Path, helm: Helm) -> None:
    counted = counting(helm, tmp_path)
    assert difference(counted, target(), target(), render=SETTINGS) == RenderedDiff()
    assert runs(tmp_path) == 1


def test_files_that_helm_does_not_read_make_no_second_render(tmp_path: Path, helm: Helm) -> None:
    counted = counting(helm, tmp_path)
    other = {
        "release.yaml": b"passport", "secrets/db.yaml": b"sealed",
        "release/values/prod.yaml": b"replicas: 7\n",
    }  # fmt: skip
    new = replace(target(), files={**target().files, **other})
    assert difference(counted, target(), new, render=SETTINGS).resources == ()
    assert runs(tmp_path) == 1


def test_many_targets_answer_in_their_order(tmp_path: Path, helm: Helm) -> None:
    counted = counting(helm, tmp_path)
    asked = [target("itg"), target("prod"), target("itg"), target("tst")]
    found = render_many(counted, asked, render=SETTINGS)
    assert found[0] == found[2]
    assert [diff(found[0], each).resources == () for each in found] == [True, False, True, False]
    assert runs(tmp_path) == 3


# --- refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["release/values.yaml", "release/values/tst.yaml", "release/chart/Chart.yaml"]
)
def test_a_file_that_argo_cd_would_silently_miss_is_required(helm: Helm, name: str) -> None:
    content = {n: c for n, c in target().files.items() if n != name}
    with pytest.raises(ConfigError, match=name):
        render(helm, replace(target(), files=content), render=SETTINGS)


def test_a_chart_that_does_not_render_is_told_with_application_stage_and_file(helm: Helm) -> None:
    broken = changed(target(), {"release/values/tst.yaml": ("replicas: 2", "replicas: two")})
    with pytest.raises(ConfigError, match="`shop-web` in `tst`") as caught:
        render(helm, broken, render=SETTINGS)
    assert "replicas" in caught.value.message
    assert "/tmp" not in caught.value.message.replace("/templates", "")


def test_a_name_that_leads_out_of_the_directory_is_refused(helm: Helm) -> None:
    content = {**target().files, "release/chart/../../../escape.yaml": b""}
    with pytest.raises(GitopsCiError, match="leads out"):
        render(helm, replace(target(), files=content), render=SETTINGS)
