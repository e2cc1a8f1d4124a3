"""What `init` wants in a repository, and how it meets what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_ci import config, scaffold
from gitops_ci.config import Application, Evidence, Merge, Sync
from gitops_ci.errors import ConfigError, GitopsCiError
from gitops_ci.helm import Helm
from gitops_ci.manifests import Source, Teams
from gitops_ci.scaffold import Change, Forge, NewFile, Planned
from gitops_ci.schemas import schema_text

URL = "https://git.example/org/ops.git"
SHOP = Application("shop-web")


def texts(files: tuple[NewFile, ...]) -> dict[str, str]:
    return {file.path: file.text for file in files}


def ops_files(stages: tuple[str, ...] = scaffold.STAGES, forge: Forge = Forge.BOTH) -> set[str]:
    text = scaffold.ops_config(URL, stages)
    ops = config.parse_ops(text, source="gitops-ci.yaml")
    return set(
        texts(scaffold.files_for_ops(ops, Source(URL), config=text, forge=forge, teams=Teams()))
    )


# --- names


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("shop-web", "shop-web"),
        ("Shop Web", "shop-web"),
        ("shop_web.git", "shop-web-git"),
        ("--Shop--", "shop"),
        ("Café", "cafe"),
        ("42", "42"),
        ("a" * 80, "a" * 53),
        ("a" * 52 + "-b", "a" * 52),
    ],
)
def test_a_folder_names_the_application(folder: str, name: str) -> None:
    assert scaffold.app_name(folder) == name


@pytest.mark.parametrize("folder", ["", "---", "日本", "all", "ALL!"])
def test_a_folder_that_leaves_no_name_is_refused_with_the_way_out(folder: str) -> None:
    with pytest.raises(ConfigError) as caught:
        scaffold.app_name(folder)
    assert f"`{folder}`" in caught.value.message
    assert "--name" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("url", "group"),
    [
        ("https://git.example/org/ops.git", "org"),
        ("https://git.example/a/b/ops.git", "a/b"),
        ("git@git.example:org/ops.git", "org"),
        ("ssh://git@git.example:22/a/b/ops.git", "a/b"),
        ("file:///srv/forge/ops.git", ""),
        ("https://git.example/ops.git", ""),
    ],
)
def test_the_group_is_the_one_of_the_address(url: str, group: str) -> None:
    assert scaffold.group_of(url) == group


# --- the dev repository


@pytest.mark.parametrize("name", ["shop-web", "on", "42"])
@pytest.mark.parametrize("project", [None, "platform/shop-ops"])
def test_a_new_application_passes_its_own_schema(name: str, project: str | None) -> None:
    text = scaffold.app_config(name, ops_project=project)
    app = config.parse_application(text, source="gitops-ci.yaml")
    assert (app.name, app.ops_project) == (name, project)
    assert app == config.Application(name, ops_project=project, images=app.images)


def test_the_defaults_that_the_comments_tell_are_the_defaults() -> None:
    text = scaffold.app_config("shop-web")
    for key in ("chart", "values", "stage-values"):
        text = text.replace(f"# {key}:", f"{key}:")
    app = config.parse_application(text, source="gitops-ci.yaml")
    assert app == config.default_application("shop-web")


def test_a_new_application_has_configuration_values_and_a_chart() -> None:
    assert list(texts(scaffold.files_for_app(SHOP, config="x"))) == [
        "gitops-ci.yaml",
        "deploy/values.yaml",
        *(f"deploy/values/{stage}.yaml" for stage in ("itg", "tst", "perf", "prod")),
        "deploy/chart/templates/deployment.yaml",
        "deploy/chart/templates/service.yaml",
        "deploy/chart/values.yaml",
        "deploy/chart/Chart.yaml",
    ]


def test_a_chart_that_is_there_brings_no_other_one() -> None:
    paths = texts(scaffold.files_for_app(SHOP, config="x", stages=("dev",), with_chart=False))
    assert list(paths) == ["gitops-ci.yaml", "deploy/values.yaml", "deploy/values/dev.yaml"]


def test_paths_are_those_of_the_configuration_and_never_outside() -> None:
    app = Application("shop", chart="../chart", values="v.yaml", stage_values="helm//stages/")
    paths = texts(scaffold.files_for_app(app, config="x", stages=("tst",)))
    assert list(paths) == ["gitops-ci.yaml", "v.yaml", "helm/stages/tst.yaml"]


@pytest.mark.parametrize("name", ["shop-web", "on"])
@pytest.mark.parametrize("stage", scaffold.STAGES)
def test_the_first_chart_renders_and_lints_in_every_stage(
    tmp_path: Path, helm: Helm, name: str, stage: str
) -> None:
    wanted = scaffold.files_for_app(Application(name), config="x")
    scaffold.write(tmp_path, scaffold.plan({}, wanted))
    values = [tmp_path / "deploy/values.yaml", tmp_path / f"deploy/values/{stage}.yaml"]
    chart = tmp_path / "deploy/chart"
    text = helm.template(
        chart, release=name, namespace="shop", values=values, kube_version="1.34.0"
    )
    assert "kind: Deployment" in text
    assert "kind: Service" in text
    assert f'image: "registry.example.com/{name}:unset"' in text
    helm.lint(chart, values=values, kube_version="1.34.0")


def test_configuration_of_a_stage_reaches_the_container(tmp_path: Path, helm: Helm) -> None:
    scaffold.write(tmp_path, scaffold.plan({}, scaffold.files_for_app(SHOP, config="x")))
    values = tmp_path / "mine.yaml"
    values.write_text("config: {LOG_LEVEL: debug, LIMIT: 12}\n")
    text = helm.template(
        tmp_path / "deploy/chart",
        release="shop",
        namespace="shop",
        values=[tmp_path / "deploy/values.yaml", values],
        kube_version="1.34.0",
    )
    assert 'value: "debug"' in text
    assert 'value: "12"' in text


# --- the ops repository


def test_the_four_stages_are_those_of_the_tour() -> None:
    ops = config.parse_ops(scaffold.ops_config(URL), source="gitops-ci.yaml")
    assert ops.url == URL
    assert [stage.name for stage in ops.stages] == ["itg", "tst", "perf", "prod"]
    assert [(s.merge, s.sync) for s in ops.stages] == [
        (Merge.AUTO, Sync.AUTO),
        *[(Merge.APPROVED, Sync.MANUAL)] * 3,
    ]
    assert [s.requires for s in ops.stages] == [
        (),
        ("integration-tests",),
        ("acceptance-tests", "functional-tests"),
        ("performance-tests",),
    ]
    assert [s.owners for s in ops.stages] == [
        (),
        ("tst-owners",),
        ("perf-owners",),
        ("prod-owners",),
    ]
    assert [s.approvals for s in ops.stages] == [0, 1, 1, 2]
    assert [s.evidence is Evidence.VERIFIED for s in ops.stages] == [False, False, False, True]


@pytest.mark.parametrize(
    ("stages", "requires"),
    [
        (("live",), [()]),
        (("dev", "live"), [(), ()]),
        (("on", "no", "1"), [(), (), ()]),
        (
            ("itg", "tst", "prod"),
            [(), ("integration-tests",), ("acceptance-tests", "functional-tests")],
        ),
    ],
)
def test_other_stages_pass_the_schema_too(
    stages: tuple[str, ...], requires: list[tuple[str, ...]]
) -> None:
    ops = config.parse_ops(scaffold.ops_config(URL, stages), source="gitops-ci.yaml")
    assert tuple(stage.name for stage in ops.stages) == stages
    assert [stage.requires for stage in ops.stages] == requires
    assert ops.stages[0].merge is Merge.AUTO


@pytest.mark.parametrize(
    "stages", [(), ("tst", "tst"), ("Tst",), ("all",), ("a\nb",), ("secrets",)]
)
def test_stages_that_cannot_be_are_refused(stages: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError):
        scaffold.ops_config(URL, stages)


@pytest.mark.parametrize(
    ("forge", "expected"),
    [
        (Forge.GITLAB, {".gitlab/CODEOWNERS"}),
        (Forge.GITHUB, {".github/CODEOWNERS"}),
        (Forge.BOTH, {".gitlab/CODEOWNERS", ".github/CODEOWNERS"}),
    ],
)
def test_an_ops_repository_has_the_files_of_its_forge(forge: Forge, expected: set[str]) -> None:
    assert ops_files(("itg", "tst"), forge) == expected | {
        "gitops-ci.yaml",
        ".gitattributes",
        "holds/README.md",
        "argocd/root.yaml",
        *(
            f"argocd/{kind}/{s}.yaml"
            for kind in ("projects", "applicationsets")
            for s in ("itg", "tst")
        ),
    }


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (scaffold.app_config("shop"), "application"),
        (scaffold.ops_config(URL), "ops-repository"),
    ],
)
def test_an_editor_finds_the_schema(text: str, kind: str) -> None:
    url = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert f'"$id": "{url}"' in schema_text(kind)


# --- planning and writing


@pytest.mark.parametrize(
    ("content", "seed", "change"),
    [
        (None, False, Change.CREATE),
        (None, True, Change.CREATE),
        (b"a\nb\n", False, Change.UNCHANGED),
        (b"a\r\nb\r\n", False, Change.UNCHANGED),
        (b"a\nb", False, Change.DIFFERS),
        (b"", False, Change.DIFFERS),
        (b"\xff", False, Change.DIFFERS),
        (b"mine", True, Change.UNCHANGED),
    ],
)
def test_a_file_is_made_only_where_there_is_none(
    content: bytes | None, seed: bool, change: Change
) -> None:
    file = NewFile("x/y", "a\nb\n", seed)
    found = {} if content is None else {"x/y": content}
    assert scaffold.plan(found, (file,)) == (Planned(file, change),)


def test_looking_tells_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1\r\n")
    (tmp_path / "dangling").symlink_to("nowhere")
    found = scaffold.look(tmp_path, ("a", "b", "a/below-a-file", "dangling"))
    assert found == {"a": b"1\r\n", "dangling": b""}


def test_a_directory_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(GitopsCiError, match=r"a` cannot be read"):
        scaffold.look(tmp_path, ("a",))


def test_only_what_is_missing_is_written(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    wanted = (NewFile("mine", "theirs"), NewFile("deep/er/new", "new\n"))
    scaffold.write(tmp_path, scaffold.plan(scaffold.look(tmp_path, ("mine",)), wanted))
    assert (tmp_path / "mine").read_text() == "mine"
    assert (tmp_path / "deep/er/new").read_text() == "new\n"
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["mine", "new"]


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo/argocd").symlink_to(outside)
    with pytest.raises(GitopsCiError):
        scaffold.write(tmp_path / "repo", scaffold.plan({}, (NewFile("argocd/x", "y"),)))
    assert not list(outside.iterdir())


def test_a_broken_run_is_completed_by_another_one(tmp_path: Path) -> None:
    wanted = scaffold.files_for_app(SHOP, config=scaffold.app_config("shop-web"))
    blocker = tmp_path / "deploy/chart/templates"
    blocker.parent.mkdir(parents=True)
    blocker.write_text("in the way")
    paths = [file.path for file in wanted]
    with pytest.raises(GitopsCiError):
        scaffold.write(tmp_path, scaffold.plan(scaffold.look(tmp_path, paths), wanted))
    blocker.unlink()
    scaffold.write(tmp_path, scaffold.plan(scaffold.look(tmp_path, paths), wanted))
    assert all((tmp_path / path).is_file() for path in paths)
