"""The two configuration files: what they mean, and what is said about wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_ci import config, holds
from gitops_ci.config import (
    Application,
    Commits,
    Evidence,
    ImageKeys,
    Layout,
    Merge,
    OpsRepository,
    Render,
    Stage,
    Sync,
)
from gitops_ci.errors import ConfigError

CASES = Path(__file__).parents[1] / "cases" / "config"
PARSERS: dict[str, Callable[..., object]] = {
    "application": config.parse_application,
    "ops": config.parse_ops,
    "hold": holds.parse_hold,
}


def cases(folder: str) -> list[Path]:
    return sorted((CASES / folder).glob("*.yaml"))


def parse(path: Path) -> object:
    return PARSERS[path.name.split("-")[0]](path.read_bytes(), source=path.name)


@pytest.mark.parametrize("path", cases("positive"), ids=lambda path: path.stem)
def test_a_sound_file_is_read(path: Path) -> None:
    assert parse(path)


@pytest.mark.parametrize("path", cases("negative"), ids=lambda path: path.stem)
def test_a_wrong_file_is_refused_with_exactly_these_findings(path: Path) -> None:
    """`# expect: line: path: message`; an `…` at the end leaves the rest open."""
    lines = path.read_text(encoding="utf-8").splitlines()
    expected = [line.removeprefix("# expect: ") for line in lines if line.startswith("# expect: ")]
    with pytest.raises(ConfigError) as caught:
        parse(path)
    found = [str(problem).removeprefix(f"{path.name}:") for problem in caught.value.problems]
    assert len(found) == len(expected)
    for told, wanted in zip(found, expected, strict=True):
        assert told.startswith(wanted[:-1]) if wanted.endswith("…") else told == wanted
    assert caught.value.exit_code == 2
    assert caught.value.hint


def ops(stages: str, rest: str = "") -> OpsRepository:
    head = "apiVersion: gitops-ci/v1\nkind: OpsRepository\n"
    return config.parse_ops(f"{head}stages: {stages}\n{rest}", source="gitops-ci.yaml")


def test_an_application_needs_nothing_but_its_name() -> None:
    path = CASES / "positive" / "application-minimal.yaml"
    assert parse(path) == config.default_application("shop-web")
    assert config.default_application("shop-web") == Application(
        name="shop-web",
        ops_project=None,
        chart="deploy/chart",
        values="deploy/values.yaml",
        stage_values="deploy/values",
        images=(ImageKeys("shop-web", tag="image.tag"),),
    )


def test_an_application_may_say_everything() -> None:
    assert parse(CASES / "positive" / "application-complete.yaml") == Application(
        name="shop-web",
        ops_project="platform/shop-ops",
        chart="../../charts/shop web",
        values="deploy/values.yaml",
        stage_values="deploy/values",
        images=(
            ImageKeys("web", tag="web.image.tag", repository="web.image.repository"),
            ImageKeys("job", digest="jobs.0.image.digest"),
        ),
    )


def test_an_application_may_have_no_images() -> None:
    application = parse(CASES / "positive" / "application-no-images.yaml")
    assert isinstance(application, Application)
    assert application.images == ()


def test_a_stage_needs_nothing_but_its_name() -> None:
    assert ops("[{name: prod}]") == OpsRepository(
        stages=(
            Stage(
                name="prod",
                merge=Merge.APPROVED,
                sync=Sync.MANUAL,
                owners=(),
                approvals=1,
                requires=(),
                evidence=Evidence.CLAIMED,
                after=(),
                allow_tags=False,
                secrets_sync=Sync.MANUAL,
                cluster="prod",
            ),
        )
    )


def test_an_ops_repository_may_say_everything() -> None:
    found = parse(CASES / "positive" / "ops-complete.yaml")
    assert isinstance(found, OpsRepository)
    itg, eu, us, world = found.stages
    assert itg == Stage(
        name="itg",
        merge=Merge.AUTO,
        sync=Sync.AUTO,
        approvals=1,
        allow_tags=True,
        secrets_sync=Sync.MANUAL,
        cluster="nonprod",
    )
    assert eu.owners == ("platform/eu-owners", "jane")
    assert eu.requires == ("test: unit 3/4",)
    assert (eu.after, us.after, world.after) == (("itg",), ("itg",), ("eu", "us"))
    assert (world.merge, world.approvals, world.evidence) == (Merge.MANUAL, 3, Evidence.VERIFIED)
    assert found.url == "git@git.example.com:platform/shop-ops.git"
    assert found.layout == Layout("clusters/{app}/{stage}", "shop-{stage}-{app}", "{app}-{stage}")
    assert found.commits == Commits("Shop Robot", "robot@example.com", "chore(ops): ")
    assert found.render == Render(
        "1.33.2", ("monitoring.coreos.com/v1", "cert-manager.io/v1/Certificate")
    )


@pytest.mark.parametrize(
    ("stage", "approvals"),
    [
        ("{name: itg, merge: auto}", 0),
        ("{name: itg, merge: auto, approvals: 2}", 2),
        ("{name: itg, merge: approved}", 1),
        ("{name: itg, merge: manual}", 1),
        ("{name: itg, approvals: 3}", 3),
    ],
)
def test_approvals_default_to_what_the_merge_needs(stage: str, approvals: int) -> None:
    assert ops(f"[{stage}]").stages[0].approvals == approvals


@pytest.mark.parametrize(
    ("stage", "secrets"),
    [
        ("{name: itg, sync: auto}", Sync.AUTO),
        ("{name: itg, sync: manual}", Sync.MANUAL),
        ("{name: itg}", Sync.MANUAL),
        ("{name: itg, sync: auto, secrets-sync: manual}", Sync.MANUAL),
    ],
)
def test_secrets_are_synced_like_the_stage_unless_it_says_otherwise(
    stage: str, secrets: Sync
) -> None:
    assert ops(f"[{stage}]").stages[0].secrets_sync is secrets


def test_a_stage_comes_after_the_one_before_it_unless_it_says_otherwise() -> None:
    found = ops("[{name: a}, {name: b}, {name: c, after: [a]}, {name: d, after: []}, {name: e}]")
    assert [stage.after for stage in found.stages] == [(), ("a",), ("a",), (), ("d",)]
    assert [stage.name for stage in found.following("a")] == ["b", "c"]
    assert found.stage("e") == found.stages[-1]
    assert found.stage("x") is None


@pytest.mark.parametrize("url", ["https", "ssh", "file"])
def test_urls_without_a_credential_are_taken(url: str) -> None:
    found = parse(CASES / "positive" / f"ops-url-{url}.yaml")
    assert isinstance(found, OpsRepository)
    assert found.url is not None
    assert found.url.startswith(f"{url}://")


def test_a_credential_in_a_url_is_not_repeated_in_the_message() -> None:
    with pytest.raises(ConfigError) as caught:
        ops("[{name: itg}]", "url: https://bot:hunter2@git.example.com/x.git\n")
    assert "hunter2" not in str(caught.value)


def test_the_same_file_is_the_same_value() -> None:
    path = CASES / "positive" / "ops-four-stages.yaml"
    assert parse(path) == parse(path)
    assert hash(parse(path)) == hash(parse(path))
