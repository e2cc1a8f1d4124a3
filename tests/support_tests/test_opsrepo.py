"""Built ops repositories are true: tree ids, release ids, determinism."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from gitops_ci import config, passports
from tests.support.builder import git
from tests.support.opsrepo import (
    POLICY,
    STAGES,
    OpsRepo,
    ahead_in,
    content,
    image,
    make_ops_repo,
    passport,
    tree_id,
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> OpsRepo:
    return make_ops_repo(tmp_path_factory.mktemp("ops") / "ops.git", apps=3)


def read_passport(repo: OpsRepo, app: str, stage: str) -> dict[str, object]:
    text = git("cat-file", "blob", f"main:environments/{stage}/{app}/release.yaml", cwd=repo.path)
    read: dict[str, object] = YAML(typ="safe").load(text)
    return read


@pytest.mark.parametrize("stage", STAGES)
def test_a_passport_names_the_real_tree(small: OpsRepo, stage: str) -> None:
    for app in small.apps:
        real = git("rev-parse", f"main:environments/{stage}/{app}/release", cwd=small.path)
        read = read_passport(small, app, stage)
        assert read["tree"] == real == small.release(app, stage).tree
        assert read["id"] == f"{app}-1.0.0-{real[:12]}" == small.release(app, stage).id


@pytest.mark.parametrize(("stage", "lines"), [("itg", 0), ("tst", 1), ("perf", 2), ("prod", 3)])
def test_evidence_grows_from_stage_to_stage(small: OpsRepo, stage: str, lines: int) -> None:
    evidence = read_passport(small, "app-00001", stage)["evidence"]
    assert isinstance(evidence, list)
    assert [line["stage"] for line in evidence] == list(STAGES[:lines])


def test_the_image_of_the_values_is_that_of_the_passport(small: OpsRepo) -> None:
    where = "main:environments/prod/app-00002/release/values.yaml"
    values = YAML(typ="safe").load(git("cat-file", "blob", where, cwd=small.path))
    reference = f"{values['image']['repository']}:{values['image']['tag']}"
    assert read_passport(small, "app-00002", "prod")["images"] == [
        {"name": "web", "ref": reference}
    ]
    assert reference == image("app-00002", "1.0.0")


def test_every_file_of_a_stage_directory_is_there_and_nothing_else(small: OpsRepo) -> None:
    tree = git("ls-tree", "-r", "--name-only", "main:environments/tst/app-00000", cwd=small.path)
    assert set(tree.split("\n")) == {
        "release.yaml",
        *(f"release/{path}" for path in content("app-00000", "1.0.0", STAGES)),
    }
    assert git("ls-tree", "--name-only", "main", cwd=small.path).split() == [
        "environments",
        "gitops-ci.yaml",
    ]


def test_the_repository_is_sound_and_has_one_commit(small: OpsRepo) -> None:
    assert git("fsck", "--strict", "--no-progress", cwd=small.path) == ""
    assert git("rev-list", "--all", cwd=small.path) == small.commit


def test_two_builds_are_the_same_commit(tmp_path: Path, small: OpsRepo) -> None:
    assert make_ops_repo(tmp_path / "again.git", apps=3).commit == small.commit


def test_a_stage_may_be_ahead_of_the_next(tmp_path: Path) -> None:
    repo = make_ops_repo(tmp_path / "ops.git", apps=2, version=ahead_in("itg"))
    itg, tst = (repo.release("app-00001", stage) for stage in ("itg", "tst"))
    assert (itg.version, tst.version) == ("1.1.0", "1.0.0")
    assert itg.tree != tst.tree
    assert read_passport(repo, "app-00001", "itg")["tree"] == itg.tree


def test_texts_stages_and_files_are_the_callers(tmp_path: Path) -> None:
    repo = make_ops_repo(
        tmp_path / "ops.git",
        apps=1,
        stages=("one", "two"),
        policy="mine: true\n",
        passport=lambda app, version, tree, stage: f"{app} {version} {tree} {stage}\n",
        content=lambda app, version, stages: {"only": f"{app} {stages}\n"},
        name=lambda number: f"shop-{number}",
        files={"holds/freeze.yaml": "kind: Hold\n"},
    )
    tree = tree_id({"only": "shop-0 ('one', 'two')\n"})
    assert git("show", "main:environments/two/shop-0/release.yaml", cwd=repo.path) == (
        f"shop-0 1.0.0 {tree} two"
    )
    assert git("show", "main:gitops-ci.yaml", cwd=repo.path) == "mine: true"
    assert git("show", "main:holds/freeze.yaml", cwd=repo.path) == "kind: Hold"


def test_tree_ids_sort_folders_as_git_does(tmp_path: Path) -> None:
    files = {"a/x": "1", "a.b": "2", "a-b": "3", "a0": "4", "a/y/z": "5"}
    repo = make_ops_repo(tmp_path / "ops.git", apps=1, stages=("one",), content=lambda *_: files)
    real = git("rev-parse", "main:environments/one/app-00000/release", cwd=repo.path)
    assert tree_id(files) == real


def test_a_thousand_applications_are_all_there(tmp_path: Path) -> None:
    repo = make_ops_repo(tmp_path / "ops.git", apps=1000)
    listed = git("ls-tree", "-d", "-r", "-z", "main:environments/prod", cwd=repo.path)
    trees = {line.split("\t")[1]: line.split()[2] for line in listed.split("\0") if line}
    assert {app: trees[f"{app}/release"] for app in repo.apps} == {
        app: repo.release(app, "prod").tree for app in repo.apps
    }
    assert len(repo.apps) == 1000


@pytest.mark.parametrize("stage", STAGES)
def test_a_passport_is_written_as_the_product_writes_it(stage: str) -> None:
    text = passport("shop-web", "2.14.0", "4be1c07d2a91" + "0" * 28, stage)
    assert passports.dump(passports.parse(text, source="release.yaml")) == text


def test_the_policy_is_one_that_the_product_reads() -> None:
    assert [stage.name for stage in config.parse_ops(POLICY, source="x").stages] == list(STAGES)
