"""`init app` and `init ops` on real directories."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_ci import config
from gitops_ci.commands import init
from gitops_ci.errors import ConfigError, Exit, GitopsCiError
from gitops_ci.scaffold import Forge

URL = "https://git.example/org/ops.git"


def snapshot(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def new_ops(root: Path, *, check: bool = False, url: str | None = URL) -> init.Result:
    return init.ops(root, forge=Forge.BOTH, url=url, check=check)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "Shop Web"
    path.mkdir()
    return path


# --- init app


def test_an_application_is_named_by_its_folder(repository: Path) -> None:
    result = init.app(repository)
    text = (repository / "gitops-ci.yaml").read_text()
    assert config.parse_application(text, source="gitops-ci.yaml").name == "shop-web"
    assert set(result.written) == set(snapshot(repository))
    assert (result.unchanged, result.differs, result.missing) == ((), (), ())
    assert result.exit_code is Exit.DONE


def test_a_given_name_and_ops_project_are_written(repository: Path) -> None:
    init.app(repository, name="cart", ops_project="platform/shop-ops", stages=("dev", "live"))
    app = config.parse_application((repository / "gitops-ci.yaml").read_text(), source="x")
    assert (app.name, app.ops_project) == ("cart", "platform/shop-ops")
    assert {path.name for path in (repository / "deploy/values").iterdir()} == {
        "dev.yaml",
        "live.yaml",
    }


@pytest.mark.parametrize("name", ["Shop", "all", "", "a b", "x" * 54, "../x"])
def test_a_name_that_cannot_be_is_refused_before_anything_is_written(
    repository: Path, name: str
) -> None:
    with pytest.raises(ConfigError):
        init.app(repository, name=name)
    assert not snapshot(repository)


def test_a_folder_without_a_usable_name_asks_for_one(tmp_path: Path) -> None:
    folder = tmp_path / "___"
    folder.mkdir()
    with pytest.raises(ConfigError) as caught:
        init.app(folder)
    assert "--name" in (caught.value.hint or "")
    assert init.app(folder, name="shop").exit_code is Exit.DONE


def test_a_chart_and_values_that_are_there_are_kept(repository: Path) -> None:
    chart = repository / "deploy/chart/Chart.yaml"
    chart.parent.mkdir(parents=True)
    chart.write_text("apiVersion: v2\nname: own\nversion: 2.0.0\n")
    (repository / "deploy/values.yaml").write_text("own: true\n")
    before = snapshot(repository)
    result = init.app(repository)
    after = snapshot(repository)
    assert {path: after[path] for path in before} == before
    assert list(chart.parent.iterdir()) == [chart]
    assert result.unchanged == ("deploy/values.yaml",)
    assert result.differs == ()


def test_the_configuration_that_is_there_decides(repository: Path) -> None:
    (repository / "gitops-ci.yaml").write_text(
        "apiVersion: gitops-ci/v1\nkind: Application\nname: cart\n"
        "chart: helm\nvalues: helm-values/all.yaml\nstage-values: helm-values\n"
    )
    result = init.app(repository, stages=("tst",))
    assert set(result.written) == {
        "helm/Chart.yaml",
        "helm/values.yaml",
        "helm/templates/deployment.yaml",
        "helm/templates/service.yaml",
        "helm-values/all.yaml",
        "helm-values/tst.yaml",
    }
    assert b"name: cart" in snapshot(repository)["helm/Chart.yaml"]


def test_an_option_that_contradicts_the_configuration_is_refused(repository: Path) -> None:
    init.app(repository, name="cart", ops_project="a/b")
    with pytest.raises(ConfigError, match="`cart`, not `shop`"):
        init.app(repository, name="shop")
    with pytest.raises(ConfigError, match="`a/b`, not `c/d`"):
        init.app(repository, ops_project="c/d")
    assert init.app(repository, name="cart", ops_project="a/b").written == ()


def test_an_ops_repository_is_no_dev_repository(repository: Path) -> None:
    new_ops(repository)
    before = snapshot(repository)
    with pytest.raises(ConfigError):
        init.app(repository)
    assert snapshot(repository) == before


@pytest.mark.parametrize("lost", ["gitops-ci.yaml", "deploy/values/tst.yaml", "deploy/values.yaml"])
def test_a_lost_file_of_an_application_comes_back(repository: Path, lost: str) -> None:
    init.app(repository)
    whole = snapshot(repository)
    (repository / lost).unlink()
    assert init.app(repository).written == (lost,)
    assert snapshot(repository) == whole


def test_a_chart_that_was_written_by_half_is_completed(repository: Path) -> None:
    init.app(repository)
    whole = snapshot(repository)
    for name in ("Chart.yaml", "values.yaml"):
        (repository / "deploy/chart" / name).unlink()
    assert set(init.app(repository).written) == {
        "deploy/chart/Chart.yaml",
        "deploy/chart/values.yaml",
    }
    assert snapshot(repository) == whole


# --- init ops


def test_an_ops_repository_is_written_whole(repository: Path) -> None:
    result = new_ops(repository)
    assert set(result.written) == set(snapshot(repository))
    ops = config.parse_ops((repository / "gitops-ci.yaml").read_text(), source="gitops-ci.yaml")
    assert [stage.name for stage in ops.stages] == ["itg", "tst", "perf", "prod"]
    assert "@org/tst-owners" in (repository / ".gitlab/CODEOWNERS").read_text()
    assert result.exit_code is Exit.DONE


def test_teams_branch_and_stages_are_those_that_were_asked_for(repository: Path) -> None:
    init.ops(
        repository,
        forge=Forge.GITHUB,
        url=URL,
        branch="trunk",
        stages=("dev", "live"),
        platform="crew",
        operations="@ops-person",
    )
    files = snapshot(repository)
    assert b"/argocd/ @org/crew\n" in files[".github/CODEOWNERS"]
    assert b"/holds/ @ops-person\n" in files[".github/CODEOWNERS"]
    assert b"targetRevision: trunk\n" in files["argocd/applicationsets/live.yaml"]
    assert ".gitlab/CODEOWNERS" not in files
    assert "argocd/projects/tst.yaml" not in files


@pytest.mark.parametrize("again", [1, 2])
def test_running_again_writes_nothing(repository: Path, tmp_path: Path, again: int) -> None:
    other = tmp_path / "app"
    other.mkdir()
    written, app_written = new_ops(repository).written, init.app(other).written
    before, times = snapshot(tmp_path), [p.stat().st_mtime_ns for p in sorted(tmp_path.rglob("*"))]
    for _ in range(again):
        result, app_result = new_ops(repository), init.app(other)
    assert (result.written, result.differs) == ((), ())
    assert result.unchanged == written
    assert app_result.written == ()
    assert set(app_result.unchanged) <= set(app_written)
    assert snapshot(tmp_path) == before
    assert [p.stat().st_mtime_ns for p in sorted(tmp_path.rglob("*"))] == times


def test_the_address_is_remembered(repository: Path) -> None:
    new_ops(repository)
    assert new_ops(repository, url=None).written == ()


@pytest.mark.parametrize(
    "lost", ["gitops-ci.yaml", "argocd/root.yaml", "holds/README.md", ".github/CODEOWNERS"]
)
def test_a_half_written_ops_repository_is_completed(repository: Path, lost: str) -> None:
    new_ops(repository)
    whole = snapshot(repository)
    (repository / lost).unlink()
    assert new_ops(repository).written == (lost,)
    assert snapshot(repository) == whole


def test_a_foreign_file_is_kept_and_reported(repository: Path) -> None:
    (repository / ".gitattributes").write_text("*.png binary\n")
    (repository / "README.md").write_text("ours\n")
    result = new_ops(repository)
    assert result.differs == (".gitattributes",)
    assert result.exit_code is Exit.DONE
    assert (repository / ".gitattributes").read_text() == "*.png binary\n"
    assert (repository / "README.md").read_text() == "ours\n"


def test_the_configuration_and_the_notes_belong_to_the_user(repository: Path) -> None:
    new_ops(repository)
    for path in ("gitops-ci.yaml", "holds/README.md"):
        with (repository / path).open("a") as stream:
            stream.write("# ours\n")
    result = new_ops(repository, check=True)
    assert (result.differs, result.missing, result.exit_code) == ((), (), Exit.DONE)


def test_a_changed_policy_shows_what_drifted(repository: Path) -> None:
    new_ops(repository)
    path = repository / "gitops-ci.yaml"
    path.write_text(path.read_text().replace("[tst-owners]", "[testers]") + "  - {name: dr}\n")
    before = snapshot(repository)
    result = new_ops(repository, check=True)
    assert set(result.missing) == {"argocd/projects/dr.yaml", "argocd/applicationsets/dr.yaml"}
    assert set(result.differs) == {
        "argocd/projects/tst.yaml",
        ".gitattributes",
        ".gitlab/CODEOWNERS",
        ".github/CODEOWNERS",
    }
    assert (result.written, result.exit_code) == ((), Exit.FAILED)
    assert snapshot(repository) == before


@pytest.mark.parametrize("layout", ["{app}/{stage}", "clusters/{stage}/apps/{app}"])
def test_another_layout_is_honoured(repository: Path, layout: str) -> None:
    new_ops(repository)
    path = repository / "gitops-ci.yaml"
    path.write_text(path.read_text() + f'layout: {{path: "{layout}"}}\n')
    (repository / "argocd/applicationsets/tst.yaml").unlink()
    assert new_ops(repository).written == ("argocd/applicationsets/tst.yaml",)
    glob = layout.replace("{stage}", "tst").replace("{app}", "*")
    text = (repository / "argocd/applicationsets/tst.yaml").read_text()
    assert f'path: "{glob}/release/chart"' in text


def test_the_address_must_be_known(repository: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        new_ops(repository, url=None)
    assert "--url" in (caught.value.hint or "")
    assert not snapshot(repository)


@pytest.mark.parametrize("url", ["ops", "https://u:secret@git.example/ops.git"])
def test_a_bad_address_writes_nothing(repository: Path, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        new_ops(repository, url=url)
    assert "secret" not in caught.value.message
    assert not snapshot(repository)


def test_another_address_or_other_stages_than_the_configurations_are_refused(
    repository: Path,
) -> None:
    new_ops(repository)
    with pytest.raises(ConfigError, match="`url`"):
        new_ops(repository, url="https://git.example/org/other.git")
    with pytest.raises(ConfigError, match="`itg,tst,perf,prod`, not `itg,prod`"):
        init.ops(repository, forge=Forge.BOTH, stages=("itg", "prod"))


@pytest.mark.parametrize("kind", [Forge.GITLAB, Forge.GITHUB])
def test_without_a_forge_the_code_owners_that_are_there_decide(
    repository: Path, kind: Forge
) -> None:
    init.ops(repository, forge=kind, url=URL)
    whole = snapshot(repository)
    assert init.ops(repository, check=True).exit_code is Exit.DONE
    assert init.ops(repository).written == ()
    assert snapshot(repository) == whole


def test_without_a_forge_and_code_owners_both_are_written(repository: Path) -> None:
    written = init.ops(repository, url=URL).written
    assert {".gitlab/CODEOWNERS", ".github/CODEOWNERS"} <= set(written)


def test_manifests_of_a_stage_that_is_gone_are_reported_and_kept(repository: Path) -> None:
    new_ops(repository)
    own = repository / "argocd/projects/ours.yaml"
    own.write_text("kind: AppProject\n")
    path = repository / "gitops-ci.yaml"
    path.write_text(path.read_text().replace("name: perf,", "name: load,"))
    new_ops(repository)
    before = snapshot(repository)
    result = new_ops(repository, check=True)
    assert set(result.stray) == {"argocd/projects/perf.yaml", "argocd/applicationsets/perf.yaml"}
    assert result.exit_code is Exit.FAILED
    assert snapshot(repository) == before


# --- both


@pytest.mark.parametrize("check", [False, True])
def test_checking_an_empty_repository_names_everything_and_writes_nothing(
    repository: Path, check: bool
) -> None:
    result = new_ops(repository, check=check)
    assert bool(snapshot(repository)) is not check
    assert bool(result.missing) is check
    assert result.exit_code is (Exit.FAILED if check else Exit.DONE)


def test_checking_a_complete_application_finds_nothing(repository: Path) -> None:
    assert init.app(repository, check=True).exit_code is Exit.FAILED
    init.app(repository)
    assert init.app(repository, check=True).exit_code is Exit.DONE


@pytest.mark.parametrize("text", ["{", "kind: Other\n", "", "\xff"])
def test_a_configuration_that_cannot_be_read_stops_it(repository: Path, text: str) -> None:
    (repository / "gitops-ci.yaml").write_text(text, encoding="latin-1")
    for run in (init.app, new_ops):
        with pytest.raises(ConfigError, match=r"gitops-ci\.yaml"):
            run(repository)
    assert list(snapshot(repository)) == ["gitops-ci.yaml"]


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        init.app(tmp_path / "nowhere")


def test_a_file_in_the_way_of_a_directory_is_named(repository: Path) -> None:
    (repository / "argocd").write_text("")
    with pytest.raises(GitopsCiError, match="argocd"):
        new_ops(repository)


@pytest.fixture
def read_only(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory that even the superuser's tests cannot write to, as seen from within."""
    monkeypatch.chdir(repository)
    repository.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield Path()
    os.seteuid(user)
    repository.chmod(0o755)


def test_a_read_only_directory_is_an_error_that_names_the_file(read_only: Path) -> None:
    with pytest.raises(GitopsCiError, match=r"gitops-ci\.yaml` cannot be written") as caught:
        init.app(read_only, name="shop")
    assert caught.value.hint
    assert init.app(read_only, name="shop", check=True).exit_code is Exit.FAILED
