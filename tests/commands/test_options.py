"""What the command line says where an option, a variable or a file is missing or wrong."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from gitops_ci import ci
from gitops_ci.cli import cli
from gitops_ci.cli.options import LISTED
from gitops_ci.errors import Exit
from scripts.reference import leaves
from tests.support.world import DEV, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World.build(tmp_path)
    world.commit("1.0.0")
    return world


def options() -> list[tuple[str, click.Option]]:
    return [
        (name, option)
        for name, command in leaves(cli, "gitops-ci")
        for option in command.params
        if isinstance(option, click.Option)
    ]


# --- options and variables ---------------------------------------------------


@pytest.mark.parametrize(
    ("args", "env", "says"),
    [
        (("--stage", "ITG"), {}, r"`ITG`.*\n\nhint: did you mean `itg`\?"),
        (("--stage", "I_T"), {}, r"`I_T`"),
        (("--stage", "itg", "--forge", "gitlab"), {}, r"`gitlab` is not supported yet\n\nhint: "),
        (("--stage", "itg"), {"GITOPS_CI_FORGE": "", "GITLAB_CI": "1"}, r"`gitlab` is not .*\n\nh"),
        (("--stage", "itg"), {"GITOPS_CI_FORGE": ""}, r"the forge is not known\n\nhint: "),
        (("--stage", "itg", "--forge-url", "/x"), {}, r"`--forge-url`.*\n\nhint: .*file:///"),
        (("--stage", "itg", "--config", "no.yaml"), {}, r"there is no `no\.yaml`"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["promote", "wait"])
def test_a_wrong_option_is_told_with_a_way_out(
    world: World, command: str, args: tuple[str, ...], env: dict[str, str], says: str
) -> None:
    more = ("--release", "shop-web-1.0.0-000000000000") if command == "wait" else ()
    image = ("--image", world.image("1.0.0")) if command == "promote" else ()
    world.env |= env
    ran = world.run(command, *args, *more, *image)
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert re.search(says, ran.err), ran.err


def test_a_project_that_is_none_is_told_with_its_form(world: World) -> None:
    ran = world.run(*world.promote_args("itg", "1.0.0", "--project", "nonsense"))
    assert ran.code == Exit.USAGE
    assert re.search(r"nonsense.*\n\nhint: .*`group/project`", ran.err), ran.err


def test_a_stage_without_a_near_name_gets_no_advice(world: World) -> None:
    assert "hint" not in world.run("promote", "--stage", "I_T").err


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("integration-tests=passed", ["integration-tests=passed"]),
        ("smoke tests=passed, load: all=failed", ["smoke tests=passed", "load: all=failed"]),
        ("a=passed\nb c=passed\n", ["a=passed", "b c=passed"]),
        (" ", []),
    ],
)
def test_a_variable_holds_several_by_lines_or_commas(text: str, parts: list[str]) -> None:
    assert LISTED.split_envvar_value(text) == parts


def test_a_suite_with_a_blank_in_its_name_may_stand_in_a_variable(world: World) -> None:
    world.env["GITOPS_CI_SUITE"] = "smoke tests=passed,load=failed"
    assert world.promote("itg", "1.0.0").code == Exit.DONE


def test_every_repeatable_option_says_so_and_takes_blanks_in_its_variable() -> None:
    several = [(name, option) for name, option in options() if option.multiple]
    assert len(several) >= 4
    assert [
        n for n, o in several if "repeatable" not in (o.help or "") or o.type is not LISTED
    ] == []


def test_a_variable_means_one_thing() -> None:
    """Options of one name share a variable only where they mean the same in every command."""
    found: dict[str, set[tuple[str, bool]]] = {}
    for _, option in options():
        assert isinstance(option.envvar, str), option.name
        found.setdefault(option.envvar, set()).add((option.type.name, option.multiple))
    assert {name: kinds for name, kinds in found.items() if len(kinds) > 1} == {}
    general = {"ALL", "CHECK", "URL", "NAME", "BASE", "BRANCH", "DIRECTORY", "QUIET", "TIMEOUT"}
    assert {f"GITOPS_CI_{word}" for word in general} & set(found) == set()


def test_a_stage_that_a_pipeline_names_does_not_narrow_the_status(world: World) -> None:
    world.promote("itg", "1.0.0")
    world.env["GITOPS_CI_STAGE"] = "prod"
    assert "itg" in world.run("status").out
    world.env["GITOPS_CI_STATUS_STAGE"] = "prod,perf"
    assert "itg" not in world.run("status").out


# --- the configuration -------------------------------------------------------


@pytest.mark.parametrize(
    "args", [
        ("promote", "--stage", "itg"),
        ("wait", "--stage", "itg", "--release", "web-1-000000000000"),
        ("status",),
    ],
)  # fmt: skip
def test_where_there_is_no_configuration_the_error_says_where(
    world: World, tmp_path: Path, args: tuple[str, ...]
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    world.env |= {"GITOPS_CI_OPS_REPO": "", "GITLAB_CI": "1", "CI_PROJECT_PATH": DEV}
    if args[0] == "status":
        del world.env["GITLAB_CI"]
    ran = world.run(*args, folder=folder)
    assert ran.code == Exit.USAGE
    assert f"there is no gitops-ci.yaml in `{folder}`" in ran.err


@pytest.mark.parametrize("image", [(), ("--image", "shop-web=example.com/web:1")])
def test_an_image_of_an_application_without_configuration(
    world: World, image: tuple[str, ...]
) -> None:
    (world.dev_folder / "gitops-ci.yaml").unlink()
    world.env |= {"GITLAB_CI": "1", "CI_PROJECT_PATH": "shop/other"}
    ran = world.run("promote", "--stage", "itg", *image)
    assert ran.code == Exit.USAGE
    assert f"there is no gitops-ci.yaml in `{world.dev_folder}`" in ran.err


@pytest.mark.parametrize(
    ("kind", "code"), [("OpsRepository", Exit.DONE), ("Application", Exit.USAGE)]
)
def test_status_overlooks_a_broken_file_only_in_an_ops_repository(
    world: World, kind: str, code: Exit
) -> None:
    (world.dev_folder / "gitops-ci.yaml").write_text(
        f"apiVersion: gitops-ci/v1\nkind: {kind}\nnonsense: 1\n"
    )
    world.env |= {"GITOPS_CI_OPS_REPO": "", "GITLAB_CI": "1", "CI_PROJECT_PATH": "platform/ops"}
    ran = world.run("status")
    assert ran.code == code, ran.err
    assert ("nonsense" in ran.err) is (code is Exit.USAGE)


# --- outputs -----------------------------------------------------------------


def test_the_dotenv_file_is_replaced_and_the_shared_files_grow(tmp_path: Path) -> None:
    env = {
        "GITHUB_ACTIONS": "1",
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }
    for word in ("old", "new"):
        ci.write_outputs(ci.pipeline(env), {"A": word}, word)
        ci.write_outputs(ci.pipeline({ci.DOTENV: str(tmp_path / "env")}), {"A": word}, word)
    assert (tmp_path / "env").read_text() == "A=new\n"
    assert (tmp_path / "output").read_text() == "A=old\nA=new\n"
    assert (tmp_path / "summary").read_text() == "old\nnew\n"


def test_a_link_and_a_device_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "env")
    for path in (tmp_path / "link", Path("/dev/null")):
        ci.write_outputs(ci.pipeline({ci.DOTENV: str(path)}), {"A": "1"}, "")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "env").read_text() == "A=1\n"
    assert Path("/dev/null").is_char_device()


# --- dry run -----------------------------------------------------------------


def test_a_dry_run_speaks_of_what_would_be(world: World) -> None:
    args = world.promote_args("itg", "1.0.0", "--dry-run")
    fresh = world.run(*args).out.splitlines()
    assert re.fullmatch(r"dry run: `shop-web-1\.0\.0-\w+` would be proposed for itg", fresh[0])
    words = {line.split()[0] for line in fresh if line.startswith("    ")}
    assert words
    assert words <= {"write", "place", "remove"}
    world.promote("itg", "1.0.0")
    world.reconcile()
    again = world.run(*args).out
    assert again.startswith("dry run: unchanged: ")
    assert len(again.splitlines()) == 1


def test_a_dry_run_names_what_is_not_committed(world: World) -> None:
    args = world.promote_args("itg", "1.0.0", "--dry-run")
    assert "note: " not in world.run(*args).out
    (world.dev_folder / "src/version.txt").write_text("other\n")
    values = world.dev_folder / "deploy/values/tst.yaml"
    values.write_text(values.read_text() + "more: 1\n")
    notes = [line for line in world.run(*args).out.splitlines() if line.startswith("note: ")]
    assert [line.split("`")[1] for line in notes] == ["deploy/values"]
