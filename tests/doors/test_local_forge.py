"""What only the local forge promises: numbers, races, kills, roles and what git shows of it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

import gitops_ci
from gitops_ci import process
from gitops_ci.errors import ConfigError, Conflict, Forbidden, ForgeError, NotFound, Temporary
from gitops_ci.forge import CheckState, Draft, Job, JobState, MergeRequest, MergeState, Relation
from gitops_ci.forge.local import LocalForge
from tests.support import builder, killing, recording

OPS = "platform/shop-ops"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SOURCE = str(Path(gitops_ci.__file__).parents[1])

PREAMBLE = """\
import sys
from datetime import UTC, datetime
from pathlib import Path
from gitops_ci.forge import CheckState, Draft, MergeState
from gitops_ci.forge.local import LocalForge

def forge(user="bot"):
    root, now = Path(sys.argv[1]), lambda: datetime.now(UTC)
    return LocalForge(root, "platform/shop-ops", user=user, now=now)

"""


def now() -> datetime:
    return START


@pytest.fixture(autouse=True)
def no_machine_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "a forge"
    LocalForge.create(root, OPS, user="bot", now=now)
    builder.commit(bare(root), {"README": "one\n"})
    return root


@pytest.fixture
def forge(root: Path) -> LocalForge:
    return acting(root)


def acting(root: Path, user: str = "bot") -> LocalForge:
    return LocalForge(root, OPS, user=user, now=now)


def bare(root: Path) -> Path:
    return root / f"{OPS}.git"


def git(root: Path, *arguments: str, stdin: bytes = b"") -> str:
    return builder.git("--git-dir", bare(root), *arguments, stdin=stdin)


def branch(root: Path, name: str, files: dict[str, str] | None = None) -> str:
    content = files or {f"{name}/file": "new\n"}
    return builder.commit(bare(root), content, branch=name, start="refs/heads/main")


def proposed(
    root: Path, name: str = "topic", *, user: str = "bot", title: str = "t"
) -> MergeRequest:
    branch(root, name)
    return acting(root, user).open(Draft(name, "main", title, ""))


def records(root: Path, name: str) -> list[str]:
    """The audit trail, oldest first."""
    arguments = ("--first-parent", "--reverse", "--format=%an %s", f"refs/gitops-ci/{name}")
    return git(root, "log", *arguments).splitlines()


def isolated() -> dict[str, str]:
    return builder.isolated_env(PYTHONPATH=SOURCE)


def side_by_side(root: Path, body: str, count: int) -> Iterator[process.Completed]:
    """The script `body` in `count` processes at once, each given its own number."""
    with ExitStack() as stack:
        children = [
            stack.enter_context(
                process.start(
                    (sys.executable, "-c", PREAMBLE + body, str(root), str(number)), env=isolated()
                )
            )
            for number in range(count)
        ]
        yield from [child.wait(300) for child in children]


# the place


@pytest.mark.parametrize(
    "project",
    [
        "",
        "..",
        ".",
        "/etc",
        "a/",
        "/a",
        "a//b",
        "a/../../b",
        "../b",
        "a..b",
        ".hidden",
        "-x",
        "--upload-pack=x",
        "a/-b",
        "a.git",
        "a.git/refs",
        "a.GIT/refs",
        "a.lock",
        "a b",
        "a\nb",
        "a\0b",
        "a\\b",
        "~root",
        "a/*",
        "größe",
        "a" * 101,
    ],
)
def test_a_project_that_could_lead_elsewhere_is_refused(tmp_path, project):
    with pytest.raises(ConfigError):
        LocalForge.create(tmp_path / "root", project, user="bot", now=now)
    assert not (tmp_path / "root").exists()


def test_a_link_that_leads_out_of_the_root_is_refused(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "root/link").symlink_to(tmp_path / "outside")
    with pytest.raises(ConfigError):
        LocalForge.create(tmp_path / "root", "link/shop", user="bot", now=now)
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("user", ["", "a b", "a\nb", "<a>", "-a", "a\0"])
def test_a_user_that_cannot_sign_a_commit_is_refused(tmp_path, user):
    with pytest.raises(ConfigError):
        LocalForge(tmp_path, OPS, user=user, now=now)


@pytest.mark.parametrize(
    "call",
    [
        lambda f: f.whoami(),
        lambda f: f.default_branch(),
        lambda f: f.find("topic"),
        lambda f: f.list(labels=()),
        lambda f: f.get(1),
        lambda f: f.open(Draft("a", "main", "t", "")),
        lambda f: f.merge(1, head="1" * 40),
        lambda f: f.statuses("1" * 40),
        lambda f: f.jobs("1" * 40),
        lambda f: f.compare("1" * 40, "2" * 40),
        lambda f: f.members("owners"),
    ],
)
def test_a_project_that_is_not_there_is_not_found(tmp_path, call):
    with pytest.raises(NotFound) as failed:
        call(LocalForge(tmp_path, "platform/none", user="bot", now=now))
    assert failed.value.hint


def test_creating_twice_keeps_everything(root, forge):
    proposed(root)
    git(root, "config", "--unset", "uploadpack.allowfilter")
    again = LocalForge.create(root, OPS, user="bot", now=now)
    assert again.get(1) == forge.get(1)
    assert git(root, "config", "--get-all", "uploadpack.allowfilter") == "true"


def test_a_root_that_cannot_be_made_is_a_configuration_error(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError):
        LocalForge.create(tmp_path / "file", OPS, user="bot", now=now)


def test_git_may_go_over_another_url(root):
    over_http = LocalForge(root, OPS, user="bot", git_url="http://localhost:1/x.git", now=now)
    assert over_http.git_url == "http://localhost:1/x.git"


def test_its_own_url_serves_partial_clones(root, forge, tmp_path):
    builder.git("clone", "--quiet", "--bare", "--filter=blob:none", forge.git_url, tmp_path / "c")
    listed = builder.git("rev-list", "--objects", "--all", "--missing=print", cwd=tmp_path / "c")
    assert any(line.startswith("?") for line in listed.splitlines())


def test_nobody_pushes_a_record(root, forge, tmp_path):
    opened = proposed(root)
    builder.git("clone", "--quiet", forge.git_url, tmp_path / "c")
    for ref in ("refs/gitops-ci/mr/1", "refs/gitops-ci/project", "refs/gitops-ci/mr/9"):
        pushed = builder.run_git("push", "--force", "origin", f"HEAD:{ref}", cwd=tmp_path / "c")
        assert pushed.returncode != 0
    assert forge.list(labels=()) == (opened,)


def test_what_git_inherits_leads_nowhere_else(root, monkeypatch, tmp_path):
    opened = proposed(root)
    for name in ("GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_INDEX_FILE", "GIT_NAMESPACE"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    assert acting(root).get(1) == opened


def test_every_call_of_git_names_full_refs_behind_a_guard(root, monkeypatch, tmp_path):
    log = tmp_path / "calls"
    recorder = recording.install(tmp_path / "bin", log)
    monkeypatch.setenv("PATH", f"{recorder}{os.pathsep}{os.environ['PATH']}")
    LocalForge.create(root, OPS, user="bot", now=now)
    opened = proposed(root)
    forge = acting(root)
    forge.update(1, title="x", add_labels=["y"])
    acting(root, "ann").approve(1)
    forge.comment(1, marker="m", body="m")
    forge.set_status(opened.head, context="c", state=CheckState.SUCCESS, description="")
    [job] = forge.create_pipeline(opened.head, [Job(0, "live", JobState.MANUAL)])
    forge.play(job)
    forge.merge(1, head=opened.head)
    assert forge.compare(opened.head, opened.head) is Relation.SAME
    assert forge.list(labels=["y"])
    calls = recording.recorded_calls(log)
    assert len(calls) > 30
    assert {call: recording.faults(call) for call in calls if recording.faults(call)} == {}


# what is kept


def test_the_audit_trail_is_a_git_log(root, forge):
    opened = proposed(root)
    forge.update(1, title="better")
    acting(root, "ann").approve(1)
    forge.comment(1, marker="<!-- d -->", body="<!-- d --> x")
    acting(root, "ann").unapprove(1)
    merged = forge.merge(1, head=opened.head)
    trail = records(root, "mr/1")
    assert trail[-6:] == [
        "bot bot opened !1, `topic` into `main`",
        "bot bot edited !1",
        "ann ann approved !1",
        "bot bot commented on !1",
        "ann ann took the approval back from !1",
        f"bot bot merged !1 as {merged.merge_commit}",
    ]


def test_a_record_holds_its_document_as_one_line_of_json(root):
    proposed(root, title="zwei\nZeilen 🚀")
    body = git(root, "log", "-1", "--format=%b", "refs/gitops-ci/mr/1")
    request = json.loads(body)["request"]
    assert "\n" not in body
    assert request["title"] == "zwei\nZeilen 🚀"
    assert datetime.fromisoformat(request["created"]) == START


def test_calls_that_change_nothing_leave_no_record(root, forge):
    opened = proposed(root)
    for _ in range(3):
        forge.update(1, title="t", add_labels=["x"])
        forge.update(1, remove_labels=["none"])
        acting(root, "ann").approve(1)
        acting(root, "bob").unapprove(1)
        forge.comment(1, marker="m", body="m same")
        forge.set_status(opened.head, context="c", state=CheckState.PENDING, description="d")
    assert len(records(root, "mr/1")) - len(records(root, "mr/1~3")) == 3
    [status] = [s for s in records(root, f"status/{opened.head}") if s.startswith("bot bot: c")]
    assert status == "bot bot: c is pending"


@pytest.mark.parametrize(
    "text", ["two\nlines\n", "\n", "a\0b", "\ud83d alone", "\u2028 \x1b[31m", "-----BEGIN PGP", " "]
)
def test_any_text_at_all_is_kept(root, forge, text):
    branch(root, "topic")
    forge.open(Draft("topic", "main", text, text, frozenset({text})))
    forge.comment(1, marker=text, body=f"{text}{text}")
    found = forge.get(1)
    assert (found.title, found.description, found.labels) == (text, text, {text})
    assert forge.comment_with(1, text) == f"{text}{text}"


@pytest.mark.parametrize(
    "source", ["--upload-pack=x", "main~0", "topic@{0}", "a\0b", "\ud83d", "a\nb", "*", ""]
)
def test_a_source_that_is_no_branch_is_a_conflict(root, forge, source):
    proposed(root)
    with pytest.raises(Conflict):
        forge.open(Draft(source, "main", "t", ""))


def test_a_comment_begins_with_its_marker_even_where_the_body_does_not(root, forge):
    proposed(root)
    for body in ("one", "two"):
        forge.comment(1, marker="<!-- m -->", body=body)
    assert forge.comment_with(1, "<!-- m -->") == "<!-- m -->\ntwo"


def test_a_head_survives_its_branch_and_the_garbage_collector(root, forge):
    opened = proposed(root)
    pushed = branch(root, "topic", {"more": "x\n"})
    forge.close(1)
    git(root, "update-ref", "-d", "refs/heads/topic")
    git(root, "reflog", "expire", "--expire=now", "--all")
    git(root, "gc", "--quiet", "--prune=now")
    assert forge.get(1).head == pushed
    assert git(root, "cat-file", "-t", pushed) == "commit"
    assert git(root, "show", f"{opened.head}:topic/file") == "new"
    assert git(root, "fsck", "--strict") == ""


def test_an_open_one_whose_branch_is_gone_keeps_its_last_head_and_does_not_merge(root, forge):
    opened = proposed(root)
    git(root, "update-ref", "-d", "refs/heads/topic")
    assert forge.get(1) == opened
    with pytest.raises(Conflict):
        forge.merge(1, head=opened.head)
    assert forge.close(1).head == opened.head


def test_a_damaged_record_is_an_error_of_the_forge(root, forge):
    proposed(root)
    broken = git(root, "commit-tree", "-m", "x", "-m", '{"request": 3}', "main^{tree}")
    git(root, "update-ref", "refs/gitops-ci/mr/1", broken)
    for call in (lambda: forge.get(1), lambda: forge.list(labels=())):
        with pytest.raises(ForgeError):
            call()


def test_a_newer_versions_fields_are_no_trouble(root, forge):
    opened = proposed(root)
    document = json.loads(git(root, "log", "-1", "--format=%b", "refs/gitops-ci/mr/1"))
    document["request"]["mood"] = document["stars"] = 5
    text = f"x\n\n{json.dumps(document)}".encode()
    record = git(root, "commit-tree", "-p", "refs/gitops-ci/mr/1", "main^{tree}", stdin=text)
    git(root, "update-ref", "refs/gitops-ci/mr/1", record)
    assert forge.get(1) == opened


# merging


def test_a_merge_commit_says_where_it_comes_from(root, forge):
    opened = proposed(root, "promote/itg/web/1")
    tip = git(root, "rev-parse", "refs/heads/main")
    merged = forge.merge(1, head=opened.head)
    shown = git(root, "show", "-s", "--format=%P|%an|%ae|%cn|%ct|%B", merged.merge_commit)
    assert shown.split("|") == [
        f"{tip} {opened.head}",
        "bot",
        "bot@localhost",
        "bot",
        str(int(START.timestamp())),
        "Merge promote/itg/web/1 into main\n\nSee merge request platform/shop-ops!1",
    ]
    assert git(root, "rev-parse", "refs/heads/main") == merged.merge_commit


def test_a_head_that_a_person_has_merged_by_hand_is_recorded_not_merged_again(root, forge):
    opened = proposed(root)
    tip = git(root, "rev-parse", "refs/heads/main")
    tree = git(root, "merge-tree", "--write-tree", tip, opened.head)
    by_hand = git(root, "commit-tree", "-p", tip, "-p", opened.head, "-m", "by hand", tree)
    git(root, "update-ref", "refs/heads/main", by_hand)
    later = builder.commit(bare(root), {"later": "x\n"})
    assert forge.merge(1, head=opened.head).merge_commit == by_hand
    assert git(root, "rev-parse", "refs/heads/main") == later


def test_a_head_that_was_pushed_to_the_target_is_its_own_merge(root, forge):
    opened = proposed(root)
    git(root, "update-ref", "refs/heads/main", opened.head)
    assert forge.merge(1, head=opened.head).merge_commit == opened.head


def test_branches_without_common_history_are_not_proposed(root, forge):
    builder.commit(bare(root), {"x": "y"}, branch="orphan")
    with pytest.raises(Conflict):
        forge.open(Draft("orphan", "main", "t", ""))


def test_a_target_that_goes_away_is_a_conflict(root, forge):
    branch(root, "release")
    branch(root, "topic")
    opened = forge.open(Draft("topic", "release", "t", ""))
    git(root, "update-ref", "-d", "refs/heads/release")
    with pytest.raises(Conflict):
        forge.merge(1, head=opened.head)


def test_a_lock_that_a_crash_left_behind_is_temporary(root, forge):
    opened = proposed(root)
    lock = bare(root) / "refs/heads/main.lock"
    lock.touch()
    with pytest.raises(Temporary) as failed:
        forge.merge(1, head=opened.head)
    assert "lock" in (failed.value.hint or "")
    lock.unlink()
    assert forge.merge(1, head=opened.head).state is MergeState.MERGED


# people


def test_before_members_are_set_everybody_may_do_everything(root):
    opened = proposed(root, user="ann")
    assert acting(root, "zoe").whoami().may_merge
    assert acting(root, "zoe").merge(1, head=opened.head).merged_by == "zoe"


def test_groups_alone_restrict_nobody(root, forge):
    forge.setup(groups={"owners": {"tom", "ann"}})
    assert forge.members("owners") == {"tom", "ann"}
    assert acting(root, "zoe").whoami().may_merge


def test_members_and_groups_are_set_apart(root, forge):
    forge.setup(members={"bot": "maintainer"}, groups={"owners": ["tom"]})
    forge.setup(groups={"others": ["ann"]})
    assert forge.members("owners") == {"owners"}
    assert not acting(root, "zoe").whoami().may_merge


def test_only_a_maintainer_manages_members(root, forge):
    forge.setup(members={"bot": "maintainer", "dev": "developer"})
    for user in ("dev", "zoe"):
        with pytest.raises(Forbidden):
            acting(root, user).setup(members={user: "maintainer"})
    assert not acting(root, "dev").whoami().may_merge


def test_an_unknown_role_is_refused(forge):
    with pytest.raises(ConfigError):
        forge.setup(members={"ann": "owner"})
    assert forge.whoami().may_merge


@pytest.mark.parametrize(
    ("user", "allowed"),
    [
        ("mona", {"approve", "write", "merge"}),
        ("dev", {"approve", "write"}),
        ("rita", {"approve"}),
        ("zoe", set()),
    ],
)
def test_roles_say_who_may_do_what(root, forge, user, allowed):
    opened = proposed(root)
    roles = {"mona": "maintainer", "dev": "developer", "rita": "reporter", "bot": "maintainer"}
    forge.setup(members=roles)
    someone = acting(root, user)
    tries = {
        "approve": lambda: someone.approve(1),
        "write": lambda: someone.comment(1, marker="m", body="m"),
        "merge": lambda: someone.merge(1, head=opened.head),
    }
    assert {name for name, call in tries.items() if permitted(call)} == allowed
    assert someone.get(1).number == 1


def permitted(call) -> bool:
    try:
        call()
    except Forbidden:
        return False
    return True


def test_a_developer_merges_into_other_branches(root, forge):
    branch(root, "feature")
    branch(root, "topic")
    forge.setup(members={"bot": "maintainer", "dev": "developer"})
    opened = acting(root, "dev").open(Draft("topic", "feature", "t", ""))
    assert acting(root, "dev").merge(1, head=opened.head).merged_by == "dev"


def test_an_approval_may_name_the_head_that_was_read(root):
    opened = proposed(root)
    pushed = branch(root, "topic", {"more": "x"})
    ann = acting(root, "ann")
    with pytest.raises(Conflict):
        ann.approve(1, opened.head)
    ann.approve(1, pushed)
    assert [(a.user, a.head) for a in ann.approvals(1)] == [("ann", pushed)]
    ann.unapprove(1)
    assert ann.approvals(1) == ()


def test_what_is_closed_takes_no_approval(root, forge):
    proposed(root)
    forge.close(1)
    with pytest.raises(Conflict):
        acting(root, "ann").approve(1)


# jobs and commits


@pytest.fixture
def pipeline(root: Path, forge: LocalForge) -> tuple[Job, ...]:
    jobs = [Job(7, "live", JobState.MANUAL), Job(7, "tests", JobState.WAITING, allow_failure=True)]
    return forge.create_pipeline(git(root, "rev-parse", "refs/heads/main"), jobs)


def test_a_pipeline_is_never_replaced(root, forge, pipeline):
    commit = git(root, "rev-parse", "refs/heads/main")
    forge.play(pipeline[0])
    again = forge.create_pipeline(commit, [Job(1, "other", JobState.PASSED)])
    assert [(job.name, job.state) for job in again] == [
        ("live", JobState.WAITING),
        ("tests", JobState.WAITING),
    ]


def test_job_ids_are_small_enough_for_anybody(pipeline):
    assert all(0 < job.id < 2**63 for job in pipeline)
    assert len({job.id for job in pipeline}) == 2


def test_a_runner_sets_the_times(root, pipeline):
    times = iter(START.replace(minute=minute) for minute in range(1, 60))
    runner = LocalForge(root, OPS, user="runner", now=lambda: next(times))
    started = runner.set_job(pipeline[1].id, JobState.RUNNING)
    assert started.started is not None
    assert started.finished is None
    ended = runner.set_job(pipeline[1].id, JobState.FAILED)
    assert ended.started == started.started
    assert ended.finished is not None
    assert ended.finished > ended.started


def test_a_job_that_has_ended_keeps_its_state(forge, pipeline):
    ended = forge.set_job(pipeline[1].id, JobState.FAILED)
    assert forge.set_job(ended.id, JobState.FAILED) == ended
    with pytest.raises(Conflict):
        forge.set_job(ended.id, JobState.PASSED)
    again = forge.retry(ended.id)
    assert (again.name, again.allow_failure, again.state) == ("tests", True, JobState.WAITING)
    with pytest.raises(Conflict):
        forge.retry(again.id)


@pytest.mark.parametrize("number", [0, -1, 1, 2**62, 2**80])
def test_a_job_that_is_not_there_is_not_found(forge, pipeline, number):
    with pytest.raises(NotFound):
        forge.play(Job(number, "live", JobState.MANUAL))


def test_a_pipeline_needs_its_commit(forge):
    for commit in ("1" * 40, "main", "../x", "*"):
        with pytest.raises(NotFound):
            forge.create_pipeline(commit, [])
        assert forge.jobs(commit) == ()
        assert forge.statuses(commit) == ()


def test_a_shallow_repository_compares_nothing(root, forge, tmp_path):
    one = git(root, "rev-parse", "refs/heads/main")
    two = builder.commit(bare(root), {"README": "two\n"})
    assert forge.compare(one, two) is Relation.AHEAD
    shallow = tmp_path / "shallow/ops.git"
    builder.git("clone", "--quiet", "--bare", "--depth=1", forge.git_url, shallow)
    cut = LocalForge(tmp_path / "shallow", "ops", user="bot", now=now)
    assert cut.compare(two, two) is Relation.UNKNOWN


@pytest.mark.parametrize("text", ["main", "refs/heads/main", "", "--all", "HEAD~1"])
def test_only_full_commit_ids_are_compared(root, forge, text):
    tip = git(root, "rev-parse", "refs/heads/main")
    assert forge.compare(text, tip) is Relation.UNKNOWN
    assert forge.compare(tip, text) is Relation.UNKNOWN


# many at once


def many_branches(root: Path, names: list[str]) -> str:
    head = branch(root, "seed")
    lines = "".join(f"create refs/heads/{name} {head}\n" for name in names)
    git(root, "update-ref", "--stdin", stdin=lines.encode())
    return head


OPEN_MANY = """
for number in range(20):
    name = f"b/{sys.argv[2]}-{number}"
    print(forge().open(Draft(name, "main", name, "")).number)
"""


def test_ten_processes_get_two_hundred_numbers_without_a_gap(root, forge):
    many_branches(root, [f"b/{who}-{number}" for who in range(10) for number in range(20)])
    ended = list(side_by_side(root, OPEN_MANY, 10))
    assert [done.code for done in ended] == [0] * 10, ended[0].stderr
    given = sorted(int(line) for done in ended for line in done.text().split())
    assert given == list(range(1, 201))
    listed = forge.list(labels=())
    assert [request.number for request in listed] == given[::-1]
    assert len({request.source for request in listed}) == 200


OPEN_SAME = """
from gitops_ci.errors import Conflict
try:
    print(forge().open(Draft("topic", "main", "t", "")).number)
except Conflict:
    print("refused")
"""


def test_of_many_who_open_the_same_branch_one_wins(root, forge):
    branch(root, "topic")
    ended = list(side_by_side(root, OPEN_SAME, 8))
    assert sorted(done.text().strip() for done in ended) == ["1"] + ["refused"] * 7
    assert len(forge.find("topic")) == 1


MERGE_ONE = """
number = int(sys.argv[2]) + 1
print(forge().merge(number, head=forge().get(number).head).merge_commit)
"""


def test_ten_merges_at_once_all_arrive(root, forge):
    for number in range(10):
        proposed(root, f"b/{number}")
    ended = list(side_by_side(root, MERGE_ONE, 10))
    assert [done.code for done in ended] == [0] * 10, ended[0].stderr
    files = git(root, "ls-tree", "-r", "--name-only", "refs/heads/main").splitlines()
    assert files == ["README", *(f"b/{number}/file" for number in range(10))]
    chain = git(root, "log", "--first-parent", "--format=%H", "refs/heads/main").splitlines()
    assert set(chain[:10]) == {done.text().strip() for done in ended}
    assert len(forge.list(labels=(), state=MergeState.MERGED)) == 10


SAME_MERGE = """
from gitops_ci.errors import Conflict
try:
    print(forge().merge(1, head=forge().get(1).head).state)
except Conflict:
    print("refused")
"""


def test_of_many_who_merge_the_same_one_wins(root):
    proposed(root)
    ended = list(side_by_side(root, SAME_MERGE, 6))
    assert sorted(done.text().strip() for done in ended) == ["merged"] + ["refused"] * 5
    assert git(root, "rev-list", "--count", "--merges", "refs/heads/main") == "1"


STATUSES = """
head = forge().find("topic")[0].head
for number in range(5):
    forge(f"u{sys.argv[2]}").set_status(
        head, context=f"c{number}", state=CheckState.SUCCESS, description="")
    forge(f"u{sys.argv[2]}").comment(1, marker=f"m{number}", body=f"m{number}")
"""


def test_no_write_of_many_to_one_document_is_lost(root, forge):
    opened = proposed(root)
    assert [done.code for done in side_by_side(root, STATUSES, 5)] == [0] * 5
    assert len(forge.statuses(opened.head)) == 25
    for who in range(5):
        assert all(acting(root, f"u{who}").comment_with(1, f"m{n}") for n in range(5))


# killed


WHOLE_LIFE = """
bot = forge()
found = bot.find("topic") or (bot.open(Draft("topic", "main", "t", "", frozenset({"x"}))),)
bot.comment(1, marker="m", body="m text")
bot.set_status(found[0].head, context="gate", state=CheckState.SUCCESS, description="d")
if found[0].state is MergeState.OPEN:
    bot.merge(1, head=found[0].head)
bot.update(1, remove_labels=["x"])
"""
WRITES = ("git commit-tree", "git update-ref")


def lifetime(root: Path) -> killing.Command:
    branch(root, "topic")
    argv = (sys.executable, "-c", PREAMBLE + WHOLE_LIFE, str(root))
    return killing.Command(argv, env=isolated(), cwd=root, quiet=(root,))


def assert_lived(root: Path) -> None:
    forge = acting(root)
    [request] = forge.list(labels=())
    assert (request.number, request.state, request.labels) == (1, MergeState.MERGED, frozenset())
    assert request.merge_commit == git(root, "rev-parse", "refs/heads/main")
    assert git(root, "rev-list", "--count", "--merges", "refs/heads/main") == "1"
    assert forge.comment_with(1, "m") == "m text"
    assert [s.context for s in forge.statuses(request.head)] == ["gate"]
    assert len(records(root, "mr/1")) == 4 + len(records(root, "mr/1~4"))
    assert git(root, "fsck", "--strict", "--no-dangling") == ""


def fresh(root: Path) -> Path:
    LocalForge.create(root, OPS, user="bot", now=now)
    builder.commit(bare(root), {"README": "one\n"})
    return root


def killed_and_repeated(root: Path, number: int) -> None:
    killing.kill_at(lifetime(fresh(root)), number)
    acting(root).list(labels=())  # whatever was cut short, it can be read
    after = killing.run_undisturbed(lifetime(root))
    assert after.code == 0, after.stderr
    assert_lived(root)


def test_killed_at_any_write_and_run_again_it_ends_the_same(root, tmp_path):
    points = killing.run_undisturbed(lifetime(root)).points
    assert_lived(root)
    writes = [number for number, point in enumerate(points, 1) if point.what in WRITES]
    assert writes
    for number in writes[::2]:  # after one write is before the next
        killed_and_repeated(tmp_path / str(number), number)


@pytest.mark.full
def test_killed_at_any_point_and_run_again_it_ends_the_same(root, tmp_path):
    points = killing.run_undisturbed(lifetime(root)).points
    for number in range(1, len(points) + 1):
        killed_and_repeated(tmp_path / str(number), number)


def test_a_merge_of_which_only_the_branch_arrived_is_completed(root, forge):
    opened = proposed(root)
    before = git(root, "rev-parse", "refs/gitops-ci/mr/1")
    merged = forge.merge(1, head=opened.head)
    git(root, "update-ref", "refs/gitops-ci/mr/1", before)
    assert forge.get(1).state is MergeState.OPEN
    assert forge.merge(1, head=opened.head).merge_commit == merged.merge_commit
    assert git(root, "rev-parse", "refs/heads/main") == merged.merge_commit
