"""Bad input to `promote`: one clear error, the right exit code, and nothing written anywhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitops_ci.errors import Exit
from tests.support import builder
from tests.support.world import APP, World

ITG = "environments/itg"
CONFIG = "apiVersion: gitops-ci/v1\nkind: Application\nname: shop-web\n"


@dataclass(frozen=True)
class Case:
    """What is wrong, how the command ends, and what its error says and names."""

    wrong: str
    arrange: Callable[[World], object]
    code: Exit
    says: str  # a regular expression
    stage: str = "itg"
    args: tuple[str, ...] = ()


def _dev(files: Mapping[str, str]) -> Callable[[World], object]:
    return lambda world: world.commit("1.0.0", files)


def _ops(files: Mapping[str, str | None]) -> Callable[[World], object]:
    return lambda world: world.push_to_main(files)


def _without(path: str) -> Callable[[World], object]:
    def arrange(world: World) -> None:
        (world.dev_folder / path).unlink()
        world.commit("1.0.0")

    return arrange


def _link(path: str, target: str) -> Callable[[World], object]:
    def arrange(world: World) -> None:
        (world.dev_folder / path).symlink_to(target)
        world.commit("1.0.0")

    return arrange


def _nothing(_: World) -> None:
    pass


CASES = (
    Case("the name is a number", _dev({"gitops-ci.yaml": CONFIG.replace("shop-web", "7")}), Exit.USAGE, r"gitops-ci.yaml:3: \$\.name: "),
    Case("an unknown key", _dev({"gitops-ci.yaml": CONFIG + "chrat: x\n"}), Exit.USAGE, r"gitops-ci.yaml:4: \$.*chrat.*\n*.*chart"),
    Case("not YAML", _dev({"gitops-ci.yaml": CONFIG + "ops: {project: [\n"}), Exit.USAGE, r"gitops-ci.yaml:\d+: "),
    Case("an alias", _dev({"gitops-ci.yaml": CONFIG + "ops: &a {project: x}\n"}), Exit.USAGE, r"gitops-ci.yaml:4: "),
    Case("the wrong kind", _dev({"gitops-ci.yaml": CONFIG.replace("Application", "Hold")}), Exit.USAGE, r"gitops-ci.yaml:2: \$\.kind: "),
    Case("the chart leads out of the repository", _dev({"gitops-ci.yaml": CONFIG + "ops: {project: platform/ops}\nchart: /etc\n"}), Exit.USAGE, r"gitops-ci.yaml:5: \$\.chart: "),
    Case("no values file", _without("deploy/values.yaml"), Exit.USAGE, r"deploy/values\.yaml: "),
    Case("no chart", _without("deploy/chart/Chart.yaml"), Exit.USAGE, r"deploy/chart/Chart\.yaml"),
    Case("no values for a stage", _without("deploy/values/prod.yaml"), Exit.USAGE, r"deploy/values/prod\.yaml: .*prod"),
    Case("no such key in the values", _dev({"deploy/values.yaml": "image:\n  tagg: x\n"}), Exit.USAGE, r"deploy/values\.yaml:2: \$\.image: key `tag` .*\n*.*tagg"),
    Case("an empty value at the key", _dev({"deploy/values.yaml": "image:\n  tag:\n"}), Exit.USAGE, r"deploy/values\.yaml:2: \$\.image\.tag: "),
    Case("an anchor at the key", _dev({"deploy/values.yaml": "image:\n  tag: &t x\nother: *t\n"}), Exit.USAGE, r"deploy/values\.yaml:2: \$\.image\.tag: "),
    Case("a duplicate key", _dev({"deploy/values.yaml": "image:\n  tag: a\n  tag: b\n"}), Exit.USAGE, r"deploy/values\.yaml:3: "),
    Case("a link in the chart", _link("deploy/chart/templates/x.yaml", "/etc/passwd"), Exit.USAGE, r"deploy/chart/templates/x\.yaml: "),
    Case("the chart brings attributes", _dev({"deploy/chart/.gitattributes": "* -diff\n"}), Exit.USAGE, r"deploy/chart/\.gitattributes: "),
    Case("the chart overrides its Argo CD source", _dev({"deploy/chart/.argocd-source.yaml": "{}\n"}), Exit.USAGE, r"\.argocd-source\.yaml: "),
    Case("a dependency is not vendored", _dev({"deploy/chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n  - {name: redis, version: 1.2.3, repository: https://charts.example.com}\n"}), Exit.USAGE, r"deploy/chart/Chart\.yaml:5: .*redis"),
    Case("no image is given", _nothing, Exit.USAGE, r"image shop-web: .*\n*.*GITOPS_IMAGE_SHOP_WEB", args=("--image", "")),
    Case("an image that nobody configured", _nothing, Exit.USAGE, r"no image `nginx`", args=("--image", "nginx=x:1")),
    Case("an image without a digest", _nothing, Exit.USAGE, r"image shop-web: .*no digest", args=("--image", f"{APP}=example.com/web:1")),
    Case("an image that is none", _nothing, Exit.USAGE, r"image shop-web: .*not an image reference", args=("--image", f"{APP}=https://x y")),
    Case("a version with a slash", _nothing, Exit.USAGE, r"version: ", args=("--version", "1/2")),
    Case("a version that leads upwards", _nothing, Exit.USAGE, r"version: ", args=("--version", "1..2")),
    Case("an unknown stage", _nothing, Exit.USAGE, r"no stage `uat`.*\n*.*`itg`, `tst`, `perf`, `prod`", stage="uat"),
    Case("a stage like an option", _nothing, Exit.USAGE, r"`--stage` cannot be `--upload-pack=x`", stage="--upload-pack=x"),
    Case("a stage like a path", _nothing, Exit.USAGE, r"stage", stage="../../etc"),
    Case("a suite without a result", _nothing, Exit.USAGE, r"--suite", stage="tst", args=("--suite", "integration-tests")),
    Case("a suite with an odd result", _nothing, Exit.USAGE, r"--suite", stage="tst", args=("--suite", "integration-tests=maybe")),
    Case("a release that is none", _nothing, Exit.USAGE, r"--release", stage="tst", args=("--release", "../x")),
    Case("another application's release", _nothing, Exit.USAGE, r"--release", stage="tst", args=("--release", "other-1.0.0-0123456789ab")),
    Case("a release that nobody knows", _nothing, Exit.NOT_YET, r"has not entered itg", stage="tst", args=("--release", "shop-web-1.0.0-0123456789ab")),
    Case("an unknown ops project", _nothing, Exit.FAILED, r"platform/nowhere", args=("--ops-repo", "platform/nowhere")),
    Case("an ops project that leads out", _nothing, Exit.USAGE, r"\.\./", args=("--ops-repo", "../../etc")),
    Case("a git URL with a password", _nothing, Exit.USAGE, r"credential", args=("--git-url", "https://me:secret@example.com/ops.git")),
    Case("a git URL that runs a program", _nothing, Exit.USAGE, r"no URL", args=("--git-url", "ext::sh -c date")),
    Case("a git URL like an option", _nothing, Exit.USAGE, r"no URL", args=("--git-url", "--upload-pack=date")),
    Case("a git URL in the clear", _nothing, Exit.USAGE, r"not encrypted", args=("--git-url", "http://git.example.com/ops.git")),
    Case("the ops repository has no policy", _ops({"gitops-ci.yaml": None}), Exit.USAGE, r"gitops-ci\.yaml.*missing.*\n*.*init ops"),
    Case("the policy is half written", _ops({"gitops-ci.yaml": "apiVersion: gitops-ci/v1\nkind: OpsRepository\n"}), Exit.USAGE, r"gitops-ci\.yaml.*:\d+: .*stages"),
    Case("the policy names a stage twice", _ops({"gitops-ci.yaml": "apiVersion: gitops-ci/v1\nkind: OpsRepository\nstages:\n  - {name: itg}\n  - {name: itg}\n"}), Exit.USAGE, r":5: \$\.stages\[1\]\.name: "),
    Case("the policy has a key that is not enforced", _ops({"gitops-ci.yaml": "apiVersion: gitops-ci/v1\nkind: OpsRepository\nstages:\n  - {name: itg, soak: 24h}\n"}), Exit.USAGE, r":4: \$\.stages\[0\].*soak"),
    Case("a hold that cannot be read", _ops({"holds/x.yaml": "kind: Hold\n"}), Exit.USAGE, r"holds/x\.yaml:1: "),
    Case("a passport that cannot be read", _ops({f"{ITG}/{APP}/release.yaml": "kind: Release\n"}), Exit.USAGE, r"environments/itg/shop-web/release\.yaml:1: "),
    Case("a passport that lies about its tree", _ops({f"{ITG}/{APP}/release.yaml": "apiVersion: gitops-ci/v1\nkind: Release\napp: shop-web\nid: shop-web-1-000000000000\ntree: " + "ab" * 20 + "\nimages: []\nchart: {name: web, version: 1.0.0}\nsource: {project: shop/web, commit: " + "ab" * 20 + "}\n"}), Exit.USAGE, r"release\.yaml:4: \$\.id: "),
    Case("a hold on the release", _nothing, Exit.REFUSED, r"hold `stop` of olaf.*broken", args=("held",)),
)  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World.build(tmp_path)
    world.commit("1.0.0")
    return world


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.wrong)
def test_bad_input_is_told_and_nothing_is_written(case: Case, world: World) -> None:
    args = case.args
    if args == ("held",):
        made = world.run(*world.promote_args("itg", "1.0.0"), "--dry-run", "--output", "json").data
        hold = f"apiVersion: gitops-ci/v1\nkind: Hold\nrelease: {made['release']}\nreason: broken\nowner: olaf\n"
        world.push_to_main({"holds/stop.yaml": hold})
        args = ()
    case.arrange(world)
    before = world.refs()
    given = list(args)
    command = ["promote", f"--stage={case.stage}"]
    if "--version" not in given:
        command += ["--version", "1.0.0"]
    if "--image" not in given:
        command += ["--image", world.image("1.0.0")]
    elif given[1] == "":
        given = []
    ran = world.run(*command, *given)
    said = ran.out + ran.err
    assert ran.code == case.code, said
    assert re.search(case.says, said), said
    assert "Traceback" not in said
    assert "secret" not in said
    assert world.refs() == before


def test_a_token_that_may_not_write_is_told_which_one_it_is(world: World) -> None:
    before = world.refs()
    ran = world.promote("itg", "1.0.0", user="tara")
    assert ran.code == Exit.USAGE
    assert "tara" in ran.err
    assert {ref for ref in world.refs().splitlines() if "mr/" in ref} == set()
    assert [line for line in before.splitlines() if "refs/heads/main" in line] == [
        line for line in world.refs().splitlines() if "refs/heads/main" in line
    ]


def test_a_branch_that_was_moved_by_a_person_is_left_alone(world: World) -> None:
    world.promote("itg", "1.0.0")
    branch = next(name for name in world.branches() if name.startswith("promote/"))
    builder.commit(
        world.ops_git, {f"{ITG}/{APP}/release/values.yaml": "x: 1\n"}, "mine", branch=branch
    )
    before = world.refs()
    ran = world.promote("itg", "1.0.0")
    assert (ran.code, ran.data["result"]) == (Exit.NOT_YET, "foreign")
    assert world.refs() == before


def test_every_finding_is_told_at_once(world: World) -> None:
    world.commit(
        "1.0.0", {"gitops-ci.yaml": CONFIG.replace("shop-web", "Shop") + "chrat: x\nimages: 3\n"}
    )
    ran = world.run("promote", "--stage", "itg")
    lines = [line for line in ran.err.splitlines() if "gitops-ci.yaml:" in line]
    assert ran.code == Exit.USAGE
    assert len(lines) == 3, ran.err
