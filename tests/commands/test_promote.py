"""`promote`: what it makes of a commit, what it finds there already, and what it leaves behind."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from gitops_ci import names, passports, review
from gitops_ci.errors import Exit
from gitops_ci.forge import MergeRequest, MergeState
from gitops_ci.passports import Passport
from tests.commands.conftest import SUITE, Station
from tests.support import builder, charts
from tests.support.world import APP, DEV, OPS, PROPOSER, Ran, World

ITG, TST = f"environments/itg/{APP}", f"environments/tst/{APP}"
HOLD = "apiVersion: gitops-ci/v1\nkind: Hold\nstage: itg\nreason: x\nowner: olaf\n"
OUTPUTS = (
    "GITOPS_RESULT",
    "GITOPS_RELEASE",
    "GITOPS_TREE",
    "GITOPS_STAGE",
    "GITOPS_BRANCH",
    "GITOPS_COMMIT",
    "GITOPS_MERGE_REQUEST",
    "GITOPS_MERGE_REQUEST_URL",
)


def promote(world: World, stage: str, *more: str, user: str = PROPOSER) -> Ran:
    """The command in the checkout as it is, with nothing said but this."""
    return world.run("promote", "--stage", stage, "--output", "json", *more, user=user)


def blob(world: World, path: str, revision: str = "main") -> bytes:
    done = builder.run_git("show", f"{revision}:{path}", cwd=world.ops_git)
    assert done.returncode == 0, done.stderr
    return done.stdout


def passport(world: World, revision: str, place: str = ITG) -> Passport:
    return passports.parse(blob(world, f"{place}/release.yaml", revision), source="")


def request(world: World, ran: Ran) -> MergeRequest:
    return world.ops().get(ran.data["merge_request"])


def outputs(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)


def with_a_branch_alone(world: World, other: World) -> str:
    """The branch that `other` has a merge request for, without the merge request."""
    branch = other.open_request("itg").source
    ref = f"refs/heads/{branch}"
    builder.git("fetch", "--quiet", other.ops_git.as_uri(), f"{ref}:{ref}", cwd=world.ops_git)
    return branch


# --- the commit and its merge request ----------------------------------------


def test_a_promotion_is_one_commit_one_branch_one_merge_request(at: Station) -> None:
    world = at("committed")
    main, ran = world.main, world.promote("itg", "1.0.0")
    made = request(world, ran)
    assert (ran.code, ran.data["result"]) == (Exit.DONE, "opened")
    assert made.source == f"promote/itg/{APP}/{ran.data['release']}"
    assert (made.title, made.target) == (f"Promote {APP} 1.0.0 to itg", "main")
    assert made.labels == {names.LABEL, names.PENDING, "stage:itg", f"app:{APP}"}
    log = builder.git("log", "--format=%H %P", f"main..{made.source}", cwd=world.ops_git)
    assert log == f"{ran.data['commit']} {main}"
    tree = builder.git("rev-parse", f"{made.head}:{ITG}/release", cwd=world.ops_git)
    assert tree == ran.data["tree"] == passport(world, made.head).tree
    changed = builder.git("diff", "--name-only", "main", made.head, cwd=world.ops_git).split()
    assert all(path.startswith(f"{ITG}/release") for path in changed)


def test_the_commit_carries_the_facts_as_trailers(at: Station) -> None:
    world = at("committed")
    ran = world.promote("itg", "1.0.0")
    text = builder.git(
        "show", "-s", "--format=%(trailers:only,unfold)", ran.data["commit"], cwd=world.ops_git
    )
    commit = world.versions["1.0.0"]
    assert text.splitlines() == [
        f"Gitops-Release: {ran.data['release']}",
        "Gitops-Stage: itg",
        f"Source-Commit: {commit}",
        f"Argocd-reference-commit-sha: {commit}",
    ]


def test_the_same_promotion_on_the_same_parent_is_the_same_commit(
    at: Station, tmp_path: Path
) -> None:
    world = at("committed")
    twin = world.copied(tmp_path / "twin")
    assert (
        world.promote("itg", "1.0.0").data["commit"] == twin.promote("itg", "1.0.0").data["commit"]
    )


def test_a_second_run_finds_everything_done(at: Station) -> None:
    world = at("itg proposed")
    before, ran = world.refs(), world.promote("itg", "1.0.0")
    assert (ran.code, ran.data["result"], ran.data["merge_request"]) == (Exit.DONE, "open", 1)
    assert world.refs() == before


def test_a_later_stage_takes_tree_and_evidence_along(at: Station) -> None:
    world = at("tst proposed")
    found = passport(world, world.open_request("tst").head, TST)
    assert found.tree == passport(world, "main").tree
    assert [(e.stage, e.suite, e.result, e.by) for e in found.evidence] == [
        ("itg", SUITE, "passed", "verified")
    ]


def test_a_claim_before_the_record_is_labelled_as_one(at: Station) -> None:
    world = at("itg live")
    made = request(world, world.promote("tst", "1.0.0", suites=[SUITE]))
    assert [e.by for e in passport(world, made.head, TST).evidence] == ["claimed"]
    assert "passed (claimed)" in made.description


@pytest.mark.parametrize(
    ("claim", "code", "result"),
    [
        ("passed", Exit.DONE, "opened"),
        ("success", Exit.DONE, "opened"),
        ("failed", Exit.REFUSED, "refused"),
        ("failure", Exit.REFUSED, "refused"),
        ("canceled", Exit.NOT_YET, "waiting"),
        ("cancelled", Exit.NOT_YET, "waiting"),
        ("skipped", Exit.NOT_YET, "waiting"),
    ],
)
def test_the_runners_words_for_a_result(claim: str, code: Exit, result: str, at: Station) -> None:
    world = at("itg live")
    before = world.refs()
    ran = world.promote("tst", "1.0.0", "--suite", f"{SUITE}={claim}")
    assert (ran.code, ran.data["result"]) == (code, result)
    assert (world.refs() == before) is (code is not Exit.DONE)


def test_a_record_stands_above_a_claim(at: Station) -> None:
    world = at("itg tested")
    assert world.promote("tst", "1.0.0", "--suite", f"{SUITE}=failed").data["result"] == "opened"


def test_a_later_stage_waits_until_the_release_was_live(at: Station) -> None:
    world = at("itg merged")
    ran = world.promote("tst", "1.0.0", suites=[SUITE])
    assert (ran.code, ran.data["result"]) == (Exit.NOT_YET, "waiting")
    assert "has not been live on itg" in ran.data["message"]


def test_what_was_live_once_may_go_on_though_the_stage_holds_a_newer_one(at: Station) -> None:
    world = at("itg tested")
    release = world.holds("itg")
    world.enter("itg", "1.1.0")
    ran = world.promote("tst", "1.0.0")
    assert (ran.data["result"], ran.data["release"]) == ("opened", release)
    tree = builder.git("rev-parse", f"{ran.data['commit']}:{TST}/release", cwd=world.ops_git)
    assert tree == ran.data["tree"] != passport(world, "main").tree


# --- outputs -----------------------------------------------------------------


def test_it_leaves_outputs_for_the_next_jobs(at: Station, tmp_path: Path) -> None:
    world = at("committed")
    world.env["GITOPS_CI_DOTENV"] = str(tmp_path / "promote.env")
    ran = world.promote("itg", "1.0.0")
    found = outputs(tmp_path / "promote.env")
    assert tuple(found) == OUTPUTS
    assert found == {
        "GITOPS_RESULT": "opened",
        "GITOPS_RELEASE": ran.data["release"],
        "GITOPS_TREE": ran.data["tree"],
        "GITOPS_STAGE": "itg",
        "GITOPS_BRANCH": ran.data["branch"],
        "GITOPS_COMMIT": ran.data["commit"],
        "GITOPS_MERGE_REQUEST": "1",
        "GITOPS_MERGE_REQUEST_URL": ran.data["url"],
    }


def test_github_gets_the_same_outputs_and_a_summary(at: Station, tmp_path: Path) -> None:
    world = at("committed")
    output, summary = tmp_path / "output", tmp_path / "summary.md"
    output.write_text("before=1\n", encoding="utf-8")
    world.env |= {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(output),
        "GITHUB_STEP_SUMMARY": str(summary),
    }
    ran = world.promote("itg", "1.0.0")
    found = outputs(output)
    assert tuple(found) == ("before", *OUTPUTS)
    assert found["GITOPS_RELEASE"] == ran.data["release"]
    assert summary.read_text(encoding="utf-8").startswith("**opened**: ")


def test_an_outcome_that_is_not_yet_leaves_outputs_too(at: Station, tmp_path: Path) -> None:
    world = at("itg merged")
    world.env["GITOPS_CI_DOTENV"] = str(tmp_path / "promote.env")
    assert world.promote("tst", "1.0.0").code == Exit.NOT_YET
    found = outputs(tmp_path / "promote.env")
    assert (found["GITOPS_RESULT"], found["GITOPS_MERGE_REQUEST"]) == ("waiting", "")
    assert found["GITOPS_RELEASE"] == world.holds("itg")


def test_text_for_people(at: Station) -> None:
    world = at("committed")
    ran = world.run(*world.promote_args("itg", "1.0.0"))
    first, second = ran.out.splitlines()
    assert first.startswith(f"opened: `{APP}-1.0.0-")
    assert second == f"  {world.ops().get(1).url}"
    waiting = world.run(*world.promote_args("tst", "1.0.0"))
    assert waiting.out == "" or "hint: " in waiting.out + waiting.err


# --- which release -----------------------------------------------------------


def test_the_release_of_an_earlier_job_needs_no_images_and_no_version(at: Station) -> None:
    world = at("itg tested")
    release = world.holds("itg") or ""
    world.env["GITOPS_RELEASE"] = release
    ran = promote(world, "tst")
    assert (ran.code, ran.data["release"]) == (Exit.DONE, release)


def test_without_one_the_release_is_made_from_the_work_tree(at: Station) -> None:
    world = at("itg tested")
    ran = promote(world, "tst", "--version", "1.0.0", "--image", world.image("1.0.0"))
    assert (ran.code, ran.data["release"]) == (Exit.DONE, world.holds("itg"))


def test_a_release_given_for_the_first_stage_does_not_stand_in_for_the_work_tree(
    at: Station,
) -> None:
    world = at("itg live")
    world.env["GITOPS_RELEASE"] = world.holds("itg") or ""
    ran = world.promote("itg", "1.1.0")
    assert ran.data["result"] == "opened"
    assert ran.data["release"].startswith(f"{APP}-1.1.0-")


def test_the_same_content_under_another_version_is_the_release_that_is_there(at: Station) -> None:
    """Held in the stage already."""
    world = at("itg live")
    ran = promote(world, "itg", "--version", "9.9.9", "--image", world.image("1.0.0"))
    assert (ran.code, ran.data["result"]) == (Exit.DONE, "unchanged")
    assert ran.data["release"] == world.holds("itg")


def test_the_same_content_of_another_commit_adopts_the_open_merge_request(at: Station) -> None:
    world = at("itg proposed")
    first = world.open_request("itg")
    world.checkout("1.1.0")
    ran = promote(world, "itg", "--version", "1.1.0", "--image", world.image("1.0.0"))
    assert (ran.data["result"], ran.data["merge_request"]) == ("open", 1)
    assert first.source.endswith(ran.data["release"])
    assert world.open_request("itg") == first
    assert passport(world, first.head).source.commit == world.versions["1.0.0"]


def test_the_same_content_adopts_a_branch_that_has_no_merge_request(
    at: Station, stations: Station
) -> None:
    world = at("committed")
    branch = with_a_branch_alone(world, stations("itg proposed"))
    before = world.branches()[branch]
    ran = promote(world, "itg", "--version", "2.2.2", "--image", world.image("1.0.0"))
    assert (ran.data["result"], ran.data["branch"]) == ("opened", branch)
    assert ran.data["title"] == f"Promote {APP} 1.0.0 to itg"
    assert world.branches()[branch] == before


def test_the_same_content_is_known_by_its_first_name_in_a_later_stage(at: Station) -> None:
    world = at("itg tested")
    ran = promote(world, "tst", "--version", "9.9.9", "--image", world.image("1.0.0"))
    assert (ran.data["result"], ran.data["release"]) == ("opened", world.holds("itg"))


def test_what_was_declined_stays_declined_under_another_name(at: Station) -> None:
    world = at("itg proposed")
    world.ops("admin").close(1)
    ran = promote(world, "itg", "--version", "9.9.9", "--image", world.image("1.0.0"))
    assert (ran.code, ran.data["result"]) == (Exit.NOT_YET, "declined")


# --- the version -------------------------------------------------------------


def _version(ran: Ran) -> str:
    return str(ran.data["release"])[len(APP) + 1 : -names.TREE_DIGITS - 1]


def test_the_version_is_the_short_commit_where_nothing_else_is_said(at: Station) -> None:
    world = at("committed")
    ran = promote(world, "itg", "--image", world.image("1.0.0"))
    assert _version(ran) == world.versions["1.0.0"][:8]


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("v2.0.0", "v2.0.0"),
        ("release/2.0", "release-2.0"),
        ("2.0.0+build.7", "2.0.0-build.7"),
        ("..%%..", None),
    ],
)
def test_the_version_is_the_commits_tag(tag: str, version: str | None, at: Station) -> None:
    world = at("committed")
    commit = world.versions["1.0.0"]
    world.env |= {"GITLAB_CI": "true", "CI_COMMIT_TAG": tag, "CI_COMMIT_SHA": commit}
    world.env["CI_PROJECT_PATH"] = DEV
    ran = promote(world, "itg", "--image", world.image("1.0.0"))
    assert _version(ran) == (version or commit[:8])


def test_github_tells_tag_and_commit_in_its_own_words(at: Station) -> None:
    world = at("committed")
    world.env |= {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": DEV,
        "GITHUB_SHA": world.versions["1.0.0"],
        "GITHUB_REF_TYPE": "tag",
        "GITHUB_REF_NAME": "v3.1",
    }
    ran = promote(world, "itg", "--image", world.image("1.0.0"))
    assert _version(ran) == "v3.1"
    found = passport(world, ran.data["commit"]).source
    assert (found.project, found.commit) == (DEV, world.versions["1.0.0"])


def test_the_option_stands_above_the_tag(at: Station) -> None:
    world = at("committed")
    world.env |= {"GITLAB_CI": "true", "CI_COMMIT_TAG": "v2", "CI_PROJECT_PATH": DEV}
    ran = promote(world, "itg", "--version", "1.0.0", "--image", world.image("1.0.0"))
    assert _version(ran) == "1.0.0"


def test_the_merge_request_of_the_pipeline_is_in_the_passport(at: Station) -> None:
    world = at("committed")
    world.env |= {"GITLAB_CI": "true", "CI_PROJECT_PATH": DEV, "CI_MERGE_REQUEST_IID": "118"}
    ran = promote(world, "itg", "--image", world.image("1.0.0"))
    assert passport(world, ran.data["commit"]).source.merge_request == 118


# --- images, values, charts --------------------------------------------------


def _another(world: World, files: dict[str, str | bytes]) -> str:
    """The dev repository's next commit, checked out."""
    world.checkout("1.1.0")
    builder.write_tree(files, world.dev_folder)
    return world.commit("2.0.0")


DIGESTS = {name: f"sha256:{digit * 64}" for name, digit in (("web", "a"), ("worker", "b"))}


def test_images_come_from_build_jobs(at: Station) -> None:
    world = at("committed")
    ref = world.image("1.0.0").partition("=")[2]
    world.env["GITOPS_IMAGE_SHOP_WEB"] = f" {ref}\n"
    ran = promote(world, "itg", "--version", "1.0.0")
    assert [(i.name, i.ref) for i in passport(world, ran.data["commit"]).images] == [(APP, ref)]
    option = promote(
        world, "itg", "--version", "1.0.0", "--image", world.image("1.0.0"), "--dry-run"
    )
    assert option.data["tree"] == ran.data["tree"]


def test_an_option_stands_above_a_build_jobs_image(at: Station) -> None:
    world = at("committed")
    world.env["GITOPS_IMAGE_SHOP_WEB"] = world.image("1.1.0").partition("=")[2]
    ran = promote(world, "itg", "--version", "1.0.0", "--image", world.image("1.0.0"))
    assert (
        passport(world, ran.data["commit"]).images[0].ref == world.image("1.0.0").partition("=")[2]
    )


def test_several_images_go_each_to_its_own_keys(at: Station) -> None:
    world = at("committed")
    config = (
        f"apiVersion: gitops-ci/v1\nkind: Application\nname: {APP}\nops: {{project: {OPS}}}\n"
        "images:\n  - {name: web, values: {tag: image.tag}}\n"
        "  - {name: worker, values: {repository: worker.repo, digest: worker.digest}}\n"
    )
    values = "image:\n  tag: unset # ours\nworker:\n  repo: none\n  digest: 'none'\nother: [1, 2]\n"
    _another(world, {"gitops-ci.yaml": config, "deploy/values.yaml": values})
    world.env["GITOPS_IMAGE_WORKER"] = f"example.com/worker@{DIGESTS['worker']}"
    ran = promote(world, "itg", "--image", f"web=example.com/web:2.0.0@{DIGESTS['web']}")
    written = blob(world, f"{ITG}/release/values.yaml", ran.data["commit"]).decode()
    assert written == values.replace("unset", f"2.0.0@{DIGESTS['web']}").replace(
        "repo: none", "repo: example.com/worker"
    ).replace("'none'", f"'{DIGESTS['worker']}'")
    assert [image.name for image in passport(world, ran.data["commit"]).images] == ["web", "worker"]


def test_values_keep_their_line_ends_comments_and_quotes(at: Station) -> None:
    world = at("committed")
    values = b"# caf\xc3\xa9\r\nimage:\r\n  tag: 'unset'   # ours\r\nlast: \"yes\"\r\n"
    _another(world, {"deploy/values.yaml": values})
    ran = promote(world, "itg", "--image", world.image("1.0.0"))
    tag = world.image("1.0.0").rpartition("web:")[2].encode()
    assert blob(world, f"{ITG}/release/values.yaml", ran.data["commit"]) == values.replace(
        b"unset", tag
    )


def test_a_chart_with_vendored_dependencies_goes_in_whole(at: Station) -> None:
    world = at("committed")
    packed = charts.packed({"Chart.yaml": charts.chart_yaml("redis", "1.2.3")})
    more = (
        "dependencies:\n"
        "  - {name: redis, version: 1.2.3, repository: 'https://charts.example.com'}\n"
        "  - {name: common, version: 2.0.0, repository: 'file://../common'}\n"
    )
    chart: dict[str, str | bytes] = {
        "deploy/chart/Chart.yaml": charts.chart_yaml(more=more),
        "deploy/chart/charts/redis-1.2.3.tgz": packed,
        "deploy/chart/charts/common/Chart.yaml": charts.chart_yaml("common", "2.0.0"),
        "deploy/chart/charts/common/templates/_helpers.tpl": '{{ define "x" }}{{ end }}',
    }
    _another(world, chart)
    ran = promote(world, "itg", "--image", world.image("1.0.0"))
    assert ran.code == Exit.DONE, ran.err
    for path, content in chart.items():
        place = f"{ITG}/release/{path.removeprefix('deploy/')}"
        raw = content.encode() if isinstance(content, str) else content
        assert blob(world, place, ran.data["commit"]) == raw
    world.reconcile()
    assert world.holds("itg") == ran.data["release"]


def test_what_is_not_tracked_by_git_belongs_to_the_release_too(at: Station) -> None:
    world = at("committed")
    builder.write_tree({"deploy/chart/templates/made.yaml": "# made\n"}, world.dev_folder)
    ran = promote(world, "itg", "--image", world.image("1.0.0"))
    assert blob(world, f"{ITG}/release/chart/templates/made.yaml", ran.data["commit"])


def test_programs_in_the_chart_become_plain_files(at: Station) -> None:
    world = at("committed")
    script = world.dev_folder / "deploy/chart/files/run.sh"
    builder.write_tree({"deploy/chart/files/run.sh": "#!/bin/sh\n"}, world.dev_folder)
    script.chmod(0o755)
    ran = promote(world, "itg", "--image", world.image("1.0.0"))
    listing = builder.git("ls-tree", "-r", ran.data["commit"], ITG, cwd=world.ops_git)
    assert {line.split()[0] for line in listing.splitlines()} == {"100644"}
    world.reconcile()
    assert world.holds("itg") == ran.data["release"]


def test_values_of_merge_request_environments_stay_at_home(at: Station) -> None:
    world = at("committed")
    builder.write_tree(
        {"deploy/values/mr.yaml": "x: 1\n", "deploy/values/extra.yaml": "y: 1\n"}, world.dev_folder
    )
    ran = promote(world, "itg", "--image", world.image("1.0.0"))
    names_there = builder.git(
        "ls-tree", "--name-only", f"{ran.data['commit']}:{ITG}/release/values", cwd=world.ops_git
    )
    assert names_there.split() == ["extra.yaml", "itg.yaml", "perf.yaml", "prod.yaml", "tst.yaml"]


def test_a_monorepo_names_its_configuration(at: Station) -> None:
    world = at("committed")
    deploy, sub = world.dev_folder / "deploy", world.dev_folder / "services/api"
    shutil.copytree(deploy, sub / "deploy")
    config = (
        f"apiVersion: gitops-ci/v1\nkind: Application\nname: shop-api\nops: {{project: {OPS}}}\n"
    )
    builder.write_tree({"gitops-ci.yaml": config, "deploy/values/itg.yaml": "env: {API: x}\n"}, sub)
    image = world.image("1.0.0").replace(APP, "shop-api")
    args = ("--config", "services/api/gitops-ci.yaml", "--image", image)
    ran = promote(world, "itg", *args)
    assert (ran.code, ran.data["app"]) == (Exit.DONE, "shop-api"), ran.err
    place = "environments/itg/shop-api/release"
    assert blob(world, f"{place}/values/itg.yaml", ran.data["commit"]) == b"env: {API: x}\n"
    web = world.promote("itg", "1.0.0")
    assert web.data["close"] == []
    world.reconcile()
    assert world.holds("itg") == web.data["release"]
    assert passport(world, "main", "environments/itg/shop-api").id == ran.data["release"]


# --- dry run -----------------------------------------------------------------


def test_a_dry_run_writes_nothing_and_tells_what_the_run_then_does(
    at: Station, tmp_path: Path
) -> None:
    world = at("committed")
    world.env["GITOPS_CI_DOTENV"] = str(tmp_path / "promote.env")
    before = world.refs()
    plan = world.promote("itg", "1.0.0", "--dry-run").data
    text = world.run(*world.promote_args("itg", "1.0.0", "--dry-run")).out
    assert world.refs() == before
    assert not (tmp_path / "promote.env").exists()
    done = world.promote("itg", "1.0.0").data
    same = {
        "result",
        "message",
        "stage",
        "app",
        "release",
        "tree",
        "branch",
        "title",
        "close",
        "notes",
    }
    assert {key: plan[key] for key in same} == {key: done[key] for key in same}
    assert plan["commit"] is plan["merge_request"] is plan["url"] is None
    made = world.ops().get(done["merge_request"])
    assert made.description in text
    changed = builder.git("diff", "--name-only", "main", made.head, cwd=world.ops_git).split()
    assert set(re.findall(r"^    write (.+)$", text, re.MULTILINE)) == set(changed)


def test_a_dry_run_names_what_it_would_close(at: Station) -> None:
    world = at("itg proposed")
    before = world.refs()
    plan = world.promote("itg", "1.1.0", "--dry-run").data
    assert plan["close"] == [{"number": 1, "why": "a newer release is proposed"}]
    assert world.refs() == before
    assert world.promote("itg", "1.1.0").data["close"] == plan["close"]


@pytest.mark.parametrize(
    ("station", "stage", "code"),
    [
        ("itg merged", "tst", Exit.NOT_YET),
        ("itg merged", "itg", Exit.DONE),
        ("itg proposed", "itg", Exit.DONE),
    ],
)
def test_a_dry_run_ends_like_the_run(station: str, stage: str, code: Exit, at: Station) -> None:
    world = at(station)
    assert world.promote(stage, "1.0.0", "--dry-run").code == code
    assert world.promote(stage, "1.0.0").code == code


def test_a_dry_run_needs_no_right_to_write(at: Station) -> None:
    world = at("committed")
    assert world.promote("itg", "1.0.0", "--dry-run", user="tara").code == Exit.DONE


# --- declined, reverted ------------------------------------------------------


def test_what_was_declined_is_proposed_again_only_on_purpose(at: Station) -> None:
    world = at("itg proposed")
    world.ops("admin").close(1)
    before = world.refs()
    ran = world.promote("itg", "1.0.0")
    assert (ran.code, ran.data["result"]) == (Exit.NOT_YET, "declined")
    assert "by admin" in ran.data["message"]
    assert world.refs() == before
    again = world.promote("itg", "1.0.0", "--reopen")
    assert again.data["branch"].endswith("-r2")
    assert world.promote("itg", "1.0.0").data["merge_request"] == again.data["merge_request"]


def test_every_reopening_is_an_attempt_of_its_own(at: Station) -> None:
    world = at("itg proposed")
    for number in (2, 3):
        world.ops("admin").close(world.open_request("itg").number)
        again = world.promote("itg", "1.0.0", "--reopen")
        assert again.data["branch"].endswith(f"-r{number}")
    heads = [value for name, value in world.branches().items() if name.startswith("promote/")]
    assert len(set(heads)) == 3, "no two branches carry the same commit"


def test_what_was_reverted_is_proposed_again_only_on_purpose(at: Station) -> None:
    world = at("itg tested")
    release = world.holds("itg")
    world.push_to_main({f"{ITG}/release.yaml": None, f"{ITG}/release": None}, "Revert")
    ran = world.promote("itg", "1.0.0")
    assert (ran.code, ran.data["result"]) == (Exit.NOT_YET, "reverted")
    again = world.promote("itg", "1.0.0", "--reopen")
    assert again.data["result"] == "opened"
    world.reconcile()
    assert world.holds("itg") == release


def test_a_roll_back_by_revert_is_not_undone_by_the_next_pipeline(at: Station) -> None:
    world = at("itg live")
    old = world.main
    world.promote("itg", "1.1.0")
    world.reconcile()
    files = builder.git("ls-tree", "-r", "--name-only", old, ITG, cwd=world.ops_git).split()
    world.push_to_main({path: blob(world, path, old).decode() for path in files}, "Back to 1.0.0")
    ran = world.promote("itg", "1.1.0")
    assert (ran.code, ran.data["result"]) == (Exit.NOT_YET, "reverted")
    assert world.promote("itg", "1.0.0").data["result"] == "unchanged"


# --- newer or older ----------------------------------------------------------


def test_an_older_release_never_rolls_a_stage_back(at: Station) -> None:
    world = at("committed")
    world.promote("itg", "1.1.0")
    world.reconcile()
    before, ran = world.refs(), world.promote("itg", "1.0.0")
    assert (ran.code, ran.data["result"]) == (Exit.DONE, "superseded")
    assert world.refs() == before


def _diverged(world: World) -> None:
    """A version that does not descend from 1.0.0, on a branch of the dev repository."""
    world.checkout("1.0.0")
    folder = world.dev_folder
    builder.git("checkout", "--quiet", "--orphan", "other", cwd=folder)
    builder.write_tree({"src/version.txt": "3\n"}, folder)
    builder.git("add", "--all", cwd=folder)
    builder.git("commit", "--quiet", "--message", "Other", cwd=folder)
    world.versions["3.0.0"] = builder.git("rev-parse", "HEAD", cwd=folder)
    builder.git("push", "--quiet", world.dev_git.as_uri(), "HEAD:refs/heads/other", cwd=folder)


def test_diverged_history_needs_somebodys_word(at: Station) -> None:
    world = at("itg live")
    _diverged(world)
    before, ran = world.refs(), world.promote("itg", "3.0.0")
    assert (ran.code, ran.data["result"]) == (Exit.REFUSED, "refused")
    for version in ("1.0.0", "3.0.0"):
        assert world.versions[version] in ran.data["message"]
    assert world.refs() == before
    accepted = world.promote("itg", "3.0.0", "--accept-diverged", "hotfix\n@all of `x`")
    assert accepted.data["result"] == "opened"
    description = request(world, accepted).description
    assert "Accepted: hotfix " in description
    assert "@all" not in description


def test_what_somebody_accepted_is_merged(at: Station) -> None:
    world = at("itg live")
    _diverged(world)
    ran = world.promote("itg", "3.0.0", "--accept-diverged", "hotfix")
    world.reconcile()
    assert world.holds("itg") == ran.data["release"]


@pytest.mark.parametrize("dev_project", ["there", "missing"])
def test_the_reason_why_it_was_accepted_stays_readable(dev_project: str, at: Station) -> None:
    world = at("itg live")
    _diverged(world)
    if dev_project == "missing":
        shutil.rmtree(world.dev_git)
    world.push_to_main({"holds/a.yaml": HOLD})
    ran = world.promote("itg", "3.0.0", "--accept-diverged", "hotfix for Monday")
    for _ in range(2):
        world.reconcile()
    assert "hotfix for Monday" in request(world, ran).description
    message = builder.git("show", "-s", "--format=%B", ran.data["commit"], cwd=world.ops_git)
    assert "Gitops-Accepted: hotfix for Monday" in message


def test_what_was_accepted_once_is_not_accepted_against_another_release(at: Station) -> None:
    world = at("itg live")
    _diverged(world)
    world.push_to_main({"holds/a.yaml": HOLD})
    number = world.promote("itg", "3.0.0", "--accept-diverged", "hotfix").data["merge_request"]
    world.ops("petra").approve(number)  # so that the next one leaves it open
    newer = world.promote("itg", "1.1.0", "--accept-diverged", "not that one").data["merge_request"]
    world.ops("admin").merge(newer, head=world.ops().get(newer).head)
    world.push_to_main({"holds/a.yaml": None})
    release = world.holds("itg")
    ran = world.reconcile()
    assert "cannot be told" in str(ran.data)
    assert world.holds("itg") == release


def test_a_dev_project_that_cannot_be_asked_is_replaced_by_the_checkout(at: Station) -> None:
    world = at("itg live")
    shutil.rmtree(world.dev_git)
    ran = world.promote("itg", "1.1.0")
    assert (ran.code, ran.data["result"]) == (Exit.DONE, "opened")
    world.reconcile()
    assert world.holds("itg") == ran.data["release"], "promote's word stands"
    assert world.promote("itg", "1.0.0").data["result"] == "superseded"


def test_a_shallow_checkout_cannot_tell_and_is_not_believed(at: Station) -> None:
    world = at("itg live")
    shallow = world.root / "shallow"
    builder.git("clone", "--quiet", "--depth=1", world.dev_git.as_uri(), shallow)
    shutil.rmtree(world.dev_git)
    args = world.promote_args("itg", "1.1.0", "--output", "json")
    before, ran = builder.git("for-each-ref", cwd=world.ops_git), world.run(*args, folder=shallow)
    assert (ran.code, ran.data["result"]) == (Exit.REFUSED, "refused")
    assert builder.git("for-each-ref", cwd=world.ops_git) == before
    accepted = world.run(*args, "--accept-diverged", "it is newer", folder=shallow)
    assert accepted.data["result"] == "opened"


def test_another_projects_application_is_not_ours_to_promote(at: Station) -> None:
    world = at("itg live")
    before, ran = world.refs(), world.promote("itg", "1.1.0", "--project", "shop/other")
    assert (ran.code, ran.data["result"]) == (Exit.REFUSED, "refused")
    assert "belongs to `shop/web`" in ran.data["message"]
    assert world.refs() == before


# --- texts that people edited ------------------------------------------------


def test_title_and_description_are_brought_up_to_date_and_peoples_words_stay(at: Station) -> None:
    world = at("itg proposed")
    old = world.open_request("itg")
    theirs = "\n\nLet us talk about this on Monday.\n"
    edited = old.description.replace("wants to enter", "must not enter") + theirs
    world.ops("admin").update(
        1, title="Draft: no", description=edited, add_labels=["mine"], remove_labels=["stage:itg"]
    )
    ran = world.promote("itg", "1.0.0")
    assert (ran.data["result"], ran.data["merge_request"]) == ("open", 1)
    new = world.open_request("itg")
    assert (new.title, new.description) == (old.title, old.description + theirs)
    assert new.labels == old.labels | {"mine"}
    before = world.refs()
    world.promote("itg", "1.0.0")
    assert world.refs() == before


def test_a_description_without_our_line_is_written_anew(at: Station) -> None:
    world = at("itg proposed")
    old = world.open_request("itg").description
    assert review.END in old
    world.ops("admin").update(1, description="gone")
    world.promote("itg", "1.0.0")
    assert world.open_request("itg").description == old


def test_the_description_tells_what_changes(at: Station) -> None:
    world = at("itg live")
    made = request(world, world.promote("itg", "1.1.0"))
    assert re.search(r"version.*1\.0\.0.*1\.1\.0", made.description)
    assert re.search(r"\| chart \| the same \|", made.description)
    assert world.versions["1.1.0"] in made.description


# --- the branch --------------------------------------------------------------


def test_a_branch_without_a_merge_request_is_rebuilt_when_the_stage_has_changed(
    at: Station, stations: Station
) -> None:
    world = at("committed")
    branch = with_a_branch_alone(world, stations("itg proposed"))
    old = world.branches()[branch]
    world.push_to_main({f"{ITG}/release/values/itg.yaml": "x: 1\n"})
    ran = world.promote("itg", "1.0.0")
    assert (ran.data["result"], ran.data["branch"]) == ("opened", branch)
    assert world.branches()[branch] == ran.data["commit"] != old
    assert builder.git("rev-parse", f"{ran.data['commit']}^", cwd=world.ops_git) == world.main


def test_a_branch_of_somebody_else_in_our_place_is_left_alone(at: Station) -> None:
    world = at("committed")
    branch = world.promote("itg", "1.0.0", "--dry-run").data["branch"]
    theirs = builder.commit(world.ops_git, {"x": "y\n"}, "Mine", branch=branch, start="main")
    ran = world.promote("itg", "1.0.0")
    assert (ran.code, ran.data["result"]) == (Exit.NOT_YET, "foreign")
    assert world.branches()[branch] == theirs


def test_an_open_proposal_of_a_stage_that_changed_is_replaced(at: Station) -> None:
    world = at("itg proposed")
    builder.commit(
        world.ops_git,
        {f"{ITG}/values-ops.yaml": "a: 1\n"},
        "Mine",
        branch=world.open_request("itg").source,
    )
    world.push_to_main({f"{ITG}/release/values/itg.yaml": "x: 1\n"})
    ran = world.promote("itg", "1.0.0")
    assert (ran.data["result"], [c["number"] for c in ran.data["close"]]) == ("opened", [1])
    assert ran.data["branch"].endswith("-r2")
    assert blob(world, f"{ITG}/values-ops.yaml", ran.data["commit"]) == b"a: 1\n"
    assert world.ops().get(1).state is MergeState.CLOSED


def test_a_merge_request_with_another_target_is_told(at: Station) -> None:
    from tests.support import forged

    world = at("itg proposed")
    source = world.open_request("itg").source
    builder.git("branch", "production", "main", cwd=world.ops_git)
    world.ops("admin").close(1)
    forged.open_request(world, "itg", source, target="production")
    ran = world.promote("itg", "1.0.0")
    assert (ran.code, ran.data["result"]) == (Exit.NOT_YET, "foreign")
    assert "`production` instead of `main`" in ran.data["message"]


def _keys(data: dict[str, Any]) -> set[str]:
    return set(data)


def test_the_result_has_the_same_keys_whatever_happens(at: Station) -> None:
    world = at("itg merged")
    results = [
        world.promote("itg", "1.0.0"),
        world.promote("tst", "1.0.0"),
        world.promote("itg", "1.1.0", "--dry-run"),
        world.promote("itg", "1.1.0"),
    ]
    assert len({frozenset(_keys(ran.data)) for ran in results}) == 1
    assert "url" in results[0].data
