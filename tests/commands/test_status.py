"""`status` on a real local forge: what stands where, since when, and what it waits for."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitops_ci import names, passports, yamldoc
from gitops_ci.cli.app import App
from gitops_ci.cli.run_status import table
from gitops_ci.commands import status
from gitops_ci.commands.status import Row, State
from gitops_ci.errors import ConfigError, Forbidden, Temporary
from gitops_ci.forge import CheckState, MergeRequest, MergeState, Status
from gitops_ci.forge.local import LocalForge
from gitops_ci.git import Remote
from tests.support import opsrepo
from tests.support.world import MERGER, OPS, World, now


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory) -> World:
    """1.0.0 is live in itg and merged into tst, 1.1.0 is proposed for itg."""
    world = World.build(tmp_path_factory.mktemp("status"), apps=0)
    world.commit("1.0.0")
    world.enter("itg", "1.0.0")
    world.suite("1.0.0", "integration-tests")
    assert world.promote("tst", "1.0.0", suites=["integration-tests"]).code == 0
    world.reconcile()
    world.approve("tst", "tara")
    world.reconcile()
    world.commit("1.1.0")
    assert world.promote("itg", "1.1.0").code == 0
    return world


@pytest.fixture
def world(grown: World, tmp_path: Path) -> World:
    return grown.copied(tmp_path / "world")


def shown(world: World, *args: str) -> str:
    """The table, without what differs from run to run."""
    done = world.run("status", *args)
    assert (done.code, done.err) == (0, "")
    text = done.out.replace(world.ops_git.as_uri(), "URL")
    for version in ("1.0.0", "1.1.0"):
        text = text.replace(release_of(world, version), f"<{version}>")
    return text


def release_of(world: World, version: str) -> str:
    return next(
        branch.release
        for request in world.ops().list(labels={names.LABEL})
        if (branch := names.parse_branch(request.source))
        and branch.release.startswith(f"shop-web-{version}-")
    )


def states(world: World, *args: str) -> list[tuple[str, str, str, str]]:
    done = world.run("status", "--output", "json", *args)
    assert done.code == 0, done.err
    return [
        (row["stage"], row["release"].split("-")[2], row["state"], row["detail"])
        for row in done.data["releases"]
    ]


# --- the table ---------------------------------------------------------------


def test_the_table_shows_every_release_and_what_it_waits_for(world: World) -> None:
    assert shown(world) == (
        "shop-web\n"
        "  itg  <1.0.0>  live    0 min  URL#mr-1\n"
        "  itg  <1.1.0>  open    0 min  URL#mr-3  not judged yet\n"
        "  tst  <1.0.0>  merged  0 min  URL#mr-2  waits for Sync by tst-owners\n"
    )


def test_json_is_complete(world: World) -> None:
    data = world.run("status", "--output", "json").data
    assert data["unknown"] == []
    live, proposed, merged = data["releases"]
    assert {key: value for key, value in proposed.items() if key != "since"} == {
        "app": "shop-web",
        "stage": "itg",
        "release": release_of(world, "1.1.0"),
        "state": "open",
        "detail": "not judged yet",
        "number": 3,
        "url": f"{world.ops_git.as_uri()}#mr-3",
    }
    assert live["release"] == merged["release"] == world.holds("tst")
    assert all(datetime.fromisoformat(row["since"]).tzinfo for row in data["releases"])


def test_a_repository_without_releases_says_so(tmp_path: Path) -> None:
    world = World.build(tmp_path)
    assert world.run("status").out == "no release is in any stage, and none is proposed\n"
    assert world.run("status", "--output", "json").data == {"releases": [], "unknown": []}


NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("passed", "shown"),
    [
        (timedelta(0), "0 min"),
        (timedelta(seconds=59), "0 min"),
        (timedelta(minutes=119, seconds=59), "119 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(hours=47, minutes=59), "47 h"),
        (timedelta(days=2), "2 d"),
        (timedelta(days=400), "400 d"),
        (timedelta(hours=-3), "0 min"),  # somebody's clock is wrong
        (None, "-"),
    ],
)
def test_times_are_shown_as_ages(passed: timedelta | None, shown: str) -> None:
    since = NOON - passed if passed is not None else None
    row = Row("a", "itg", "a-1-0", State.LIVE, "", since)
    assert table([row], now=NOON) == f"a\n  itg  a-1-0  live  {shown}  -"


def test_applications_are_set_apart_and_columns_are_aligned() -> None:
    rows = [
        Row("cart", "itg", "cart-1-0", State.LIVE, "", NOON, 1, "u/1"),
        Row("shop", "prod", "shop-10-0", State.UNKNOWN, "nobody knows", None),
    ]
    assert table(rows, now=NOON) == (
        "cart\n"
        "  itg   cart-1-0   live     0 min  u/1\n"
        "\n"
        "shop\n"
        "  prod  shop-10-0  unknown  -      -    nobody knows"
    )


# --- states ------------------------------------------------------------------


def test_a_gate_tells_what_an_open_one_waits_for(world: World) -> None:
    world.reconcile()
    world.sync("itg")
    world.sync("tst")
    world.reconcile()
    world.suite("1.1.0", "integration-tests")
    assert world.promote("tst", "1.1.0", suites=["integration-tests"]).code == 0
    world.reconcile()
    assert states(world) == [
        ("itg", "1.1.0", "live", ""),
        ("tst", "1.0.0", "live", ""),
        ("tst", "1.1.0", "open", "waits: 1 approval of tst-owners missing"),
    ]


def test_an_automatic_stage_waits_for_nobody(world: World) -> None:
    world.reconcile()
    assert ("itg", "1.1.0", "merged", "not synced yet") in states(world)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (CheckState.SUCCESS, "the gate is green"),
        (CheckState.FAILURE, "refused: its tree is another"),
        (CheckState.PENDING, "waits: its tree is another"),
    ],
)
def test_each_word_of_the_gate_is_told(world: World, state: CheckState, said: str) -> None:
    head = world.open_request("itg").head
    world.ops().set_status(
        head, context=names.GATE, state=state, description="its tree\nis  another"
    )
    assert ("itg", "1.1.0", "open", said) in states(world)


def test_a_failed_sync_is_told(world: World) -> None:
    merged = next(r for r in world.ops().list(labels={names.LABEL}) if r.number == 2)
    world.ops().set_status(
        merged.merge_commit or "", context=names.LIVE, state=CheckState.FAILURE,
        description="its sync failed: no quota",
    )  # fmt: skip
    assert ("tst", "1.0.0", "failed", "its sync failed: no quota") in states(world)


def test_the_newest_word_counts(world: World) -> None:
    merged = next(r for r in world.ops().list(labels={names.LABEL}) if r.number == 2)
    for user, state in (("admin", CheckState.FAILURE), (MERGER, CheckState.SUCCESS)):
        world.ops(user).set_status(
            merged.merge_commit or "", context=names.LIVE, state=state, description="x"
        )
    assert ("tst", "1.0.0", "live", "") in states(world)


def test_a_stage_that_was_put_back_is_not_called_live(world: World) -> None:
    before = world.main
    world.reconcile()
    paths = [path for path in files_at(world, before) if path.startswith("environments/itg/")]
    now_there = [
        path for path in files_at(world, world.main) if path.startswith("environments/itg")
    ]
    content = {path: show(world, before, path) for path in paths}
    world.push_to_main(dict.fromkeys(set(now_there) - set(paths)) | content)
    newer = release_of(world, "1.1.0")
    assert states(world)[0] == ("itg", "1.0.0", "unknown", f"put back after {newer}")


def test_what_came_without_a_merge_request_is_unknown(tmp_path: Path) -> None:
    world = World.build(tmp_path, apps=1)
    assert states(world) == [
        (stage, "1.0.0", "unknown", "it came by no merge request of ours")
        for stage in opsrepo.STAGES
    ]


def test_a_passport_that_cannot_be_read_is_a_row_of_its_own(world: World) -> None:
    world.push_to_main({"environments/tst/shop-web/release.yaml": "a: ["})
    rows = world.run("status", "--output", "json", "--stage", "tst").data["releases"]
    assert [(row["release"], row["state"]) for row in rows] == [("unknown", "unknown")]
    assert rows[0]["detail"].startswith("release.yaml")


def test_a_declined_or_retired_release_is_in_no_row(world: World) -> None:
    world.ops().close(world.open_request("itg").number)
    retired = [path for path in files_at(world, world.main) if path.startswith("environments/tst/")]
    world.push_to_main(dict.fromkeys(retired))
    assert states(world) == [("itg", "1.0.0", "live", "")]


def files_at(world: World, commit: str) -> list[str]:
    listing = opsrepo.git("ls-tree", "-r", "--name-only", commit, cwd=world.ops_git)
    return listing.splitlines()


def show(world: World, commit: str, path: str) -> str:
    return opsrepo.git("show", f"{commit}:{path}", cwd=world.ops_git) + "\n"


# --- what is asked -----------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "stages"),
    [
        (("--stage", "tst"), ["tst"]),
        (("--stage", "tst", "--stage", "itg"), ["itg", "itg", "tst"]),
        (("--app", "shop-web"), ["itg", "itg", "tst"]),
        (("--app", "cart"), []),
        (("--app", "cart", "--app", "shop-web", "--stage", "tst"), ["tst"]),
        (("--stage", "prod"), []),
    ],
)
def test_applications_and_stages_can_be_chosen(
    world: World, args: tuple[str, ...], stages: list[str]
) -> None:
    assert [stage for stage, *_ in states(world, *args)] == stages


@pytest.mark.parametrize("args", [("--stage", "qa"), ("--app", "Not_A_Name"), ("--app", "all")])
def test_a_name_that_cannot_be_is_refused(world: World, args: tuple[str, ...]) -> None:
    done = world.run("status", *args)
    assert (done.code, done.out) == (2, "")


def test_the_ops_repository_is_found_from_the_application(world: World) -> None:
    def without(folder: Path) -> int:
        env = {"GITOPS_CI_OPS_REPO": ""}
        return World(world.root, env=env).run("status", folder=folder).code

    assert without(world.dev_folder) == 0
    assert without(world.root) == 2


def test_nothing_is_written(world: World) -> None:
    before = world.refs()
    world.run("status")
    assert world.refs() == before


# --- sources that do not answer ----------------------------------------------


class Speechless(LocalForge):
    """A forge that refuses to tell what is named in `silent`."""

    silent: frozenset[str] = frozenset()

    def statuses(self, commit: str) -> tuple[Status, ...]:
        if "statuses" in self.silent:
            raise Temporary("no answer for 30 s")
        return super().statuses(commit)

    def list(
        self, *, labels: Collection[str], state: MergeState | None = None, limit: int | None = None
    ) -> tuple[MergeRequest, ...]:
        if "list" in self.silent:
            raise Forbidden("the token may not list merge requests")
        return super().list(labels=labels, state=state, limit=limit)


def looked(world: World, *silent: str) -> status.Overview:
    forge = Speechless(world.forge_root, OPS, user=MERGER, now=now)
    forge.silent = frozenset(silent)
    app = App("local", world.forge_root.as_uri(), OPS)

    @contextmanager
    def remotes() -> Iterator[Remote]:
        with app.remote() as remote:
            yield remote

    return status.run(remotes=remotes, forge=forge)


def brief(found: status.Overview) -> list[tuple[str, State, str]]:
    return [(row.stage, row.state, row.detail) for row in found.rows]


def test_all_sources_answer(world: World) -> None:
    assert looked(world).silent == ()


def test_without_statuses_the_rest_is_told(world: World) -> None:
    found = looked(world, "statuses")
    assert found.silent == ("commit statuses: no answer for 30 s",)
    assert brief(found) == [
        ("itg", State.LIVE, ""),
        ("itg", State.OPEN, "its gate is unknown"),
        ("tst", State.UNKNOWN, "its commit statuses cannot be read"),
    ]


def test_without_merge_requests_the_stages_are_told(world: World) -> None:
    found = looked(world, "list")
    assert found.silent == ("merge requests: the token may not list merge requests",)
    assert brief(found) == [
        ("itg", State.UNKNOWN, "the merge requests cannot be read"),
        ("tst", State.UNKNOWN, "the merge requests cannot be read"),
    ]
    assert {row.release for row in found.rows} == {world.holds("itg")}


def test_hostile_words_stay_on_their_line(world: World) -> None:
    head = world.open_request("itg").head
    world.ops().set_status(
        head, context=names.GATE, state=CheckState.PENDING,
        description="x\n::error::y\x1b[31m\N{RIGHT-TO-LEFT OVERRIDE}",
    )  # fmt: skip
    lines = world.run("status").out.splitlines()
    assert len(lines) == 4
    assert all(line.isprintable() for line in lines)


# --- reading passports quickly -----------------------------------------------


def any_passport() -> list[passports.Passport]:
    sha = "0123456789abcdef0123456789abcdef01234567"
    tree = f"0b{sha[2:]}"
    line = passports.EvidenceLine(
        "itg", "e2e: all / a", passports.Result.FAILED, passports.By.VERIFIED
    )
    plain = passports.Passport(
        "shop", names.release_id("shop", "1.0", sha), sha,
        (passports.ImageRef("web", f"r.example.com:5000/a/b:1@sha256:{'a' * 64}"),),
        passports.ChartRef("web", "1.10"), passports.Source("shop/web", sha, 7), (line,),
    )  # fmt: skip
    digits = "1" * 40
    return [
        plain,
        passports.Passport("shop", names.release_id("shop", "2", tree), tree, (),
                         passports.ChartRef("no", "1.0.0+b"), passports.Source("a/b/c", digits)),
        passports.Passport("y", names.release_id("y", "v1", digits), digits, plain.images * 2,
                         plain.chart, plain.source, (line, line)),
    ]  # fmt: skip


def slowly(text: str) -> passports.Passport | str:
    """As the YAML reader reads it: a comment is nothing that `dump` writes."""
    try:
        return passports.parse(f"# by hand\n{text}", source="x")
    except ConfigError:
        return "refused"


@pytest.mark.parametrize("passport", any_passport())
def test_a_written_passport_is_read_as_yaml_would_read_it(passport: passports.Passport) -> None:
    text = passports.dump(passport)
    assert passports.parse(text, source="x") == slowly(text) == passport


def test_a_written_passport_needs_no_yaml_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(yamldoc, "load")  # thousands of them are read by `status`
    assert [
        passports.parse(passports.dump(each), source="x") for each in any_passport()
    ] == any_passport()


LONG_STAGE, LONG_IMAGE = f"stage: {'s' * 31}", f"name: {'w' * 64}"
EDITS = [
    ("app: shop", "app: all"), ("app: shop", "app: null"), ("shop", "Shop"), ("1.0-", "1.0.-"),
    ('"1.10"', "1.10"), ("chart: {", "chart: { "), ("\nevidence", "\n\nevidence"), ("7}", "07}"),
    ("7}", "7 }"), ("7}", "-7}"), ("by: verified", "by: me"), ("failed", "'failed'"),
    ("stage: itg", "stage: -"), ("e2e: all / a", "e2e\\u0041"), ("e2e: all / a", "e2e -"),
    ("name: web, ref", "name: web, name: x, ref"), ("kind: Release", "kind: Hold"), ("\n", "\r\n"),
    ("shop/web", "shop"), ("shop/web", "shop//web"), ("images:\n", "images: []\n"), ("0", "O"),
    ("@sha256:", "@\u00e4:"), ("name: web", LONG_IMAGE), ("stage: itg", LONG_STAGE),
    ("evidence:", "evidence: []\nmore:"), ("  - ", "- "), ("tree: ", "tree: !!str "),
    ("web", "&a web"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), EDITS)
def test_an_edited_passport_is_judged_as_yaml_would_judge_it(old: str, new: str) -> None:
    text = passports.dump(any_passport()[0])
    assert old in text
    edited = text.replace(old, new)
    try:
        read: passports.Passport | str = passports.parse(edited, source="x")
    except ConfigError:
        read = "refused"
    assert read == slowly(edited)
