"""R7: the same promotion on the same base is the same commit, wherever and by whom it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support import builder, jobs
from tests.support.world import APP, World

PLACE = f"environments/itg/{APP}"
HOSTILE = """\
[user]
\tname = Some Body
\temail = some@body.example
\tsigningKey = missing
[commit]
\tgpgSign = true
[tag]
\tgpgSign = true
[gpg]
\tprogram = {canary}
[core]
\tautocrlf = true
\teol = crlf
\thooksPath = {folder}/hooks
\tfsmonitor = {canary}
\tpager = {canary}
\teditor = {canary}
\tabbrev = 7
\tquotePath = false
\tignoreCase = true
\tattributesFile = {folder}/attributes
[filter "upper"]
\tclean = {canary}
\tsmudge = {canary}
[init]
\tdefaultBranch = elsewhere
\ttemplateDir = {folder}/template
[alias]
\tfetch = !{canary}
\tpush = !{canary}
\tfast-import = !{canary}
[credential]
\thelper = {canary}
[color]
\tui = always
[i18n]
\tcommitEncoding = ISO-8859-1
\tlogOutputEncoding = ISO-8859-1
[fetch]
\tprune = true
\tpruneTags = true
\twriteCommitGraph = true
\trecurseSubmodules = true
[push]
\tdefault = nothing
\tfollowTags = true
\trecurseSubmodules = check
[transfer]
\tfsckObjects = true
[fastimport]
\tunpackLimit = 1
[protocol]
\tversion = 0
[gc]
\tauto = 1
[log]
\tshowSignature = true
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a job may meet on a runner; `git` is the user's own configuration."""

    env: dict[str, str] = field(default_factory=dict)
    umask: int = 0o022
    prefix: tuple[str, ...] = ()
    git: str = ""
    change: Callable[[World], object] | None = None


def _executable(world: World) -> None:
    for path in (world.dev_folder / "deploy").rglob("*"):
        path.chmod(0o755)


def _other_order(world: World) -> None:
    """Directories whose entries were made in another order, long ago."""
    for path in sorted((world.dev_folder / "deploy").rglob("*"), reverse=True):
        if path.is_file():
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)


def _unpacked_dependencies(world: World) -> None:
    """Files beside the chart are nobody's business."""
    builder.write_tree({"deploy/notes.txt": "later\n", "node_modules/x": "y"}, world.dev_folder)


MACHINES = {
    "usual": Machine(),
    "east": Machine({"TZ": "Pacific/Kiritimati"}),
    "west": Machine({"TZ": "America/St_Johns"}),
    "no such zone": Machine({"TZ": "Not/There"}),
    "umask 0": Machine(umask=0),
    "umask 077": Machine(umask=0o077),
    "turkish": Machine({"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"}),
    "latin": Machine({"LC_ALL": "de_DE.ISO-8859-1", "PYTHONUTF8": "0"}),
    "no locale": Machine({"LC_ALL": "", "LANG": "", "LANGUAGE": "ja"}),
    "user": Machine({"USER": "root", "LOGNAME": "somebody", "USERNAME": "x"}),
    "no home": Machine({"HOME": "/nonexistent"}),
    "git identity": Machine({
        "GIT_AUTHOR_NAME": "Some Body", "GIT_AUTHOR_EMAIL": "a@b.example",
        "GIT_COMMITTER_NAME": "Some Body", "EMAIL": "c@d.example",
    }),
    "git dates": Machine({
        "GIT_AUTHOR_DATE": "2001-02-03T04:05:06+07:00", "GIT_COMMITTER_DATE": "@1 +0000",
    }),
    "git folders": Machine({
        "GIT_DIR": "/nonexistent", "GIT_WORK_TREE": "/", "GIT_INDEX_FILE": "/nonexistent/index",
        "GIT_OBJECT_DIRECTORY": "/nonexistent", "GIT_NAMESPACE": "other",
    }),
    "git tracing": Machine({
        "GIT_TRACE": "1", "GIT_CURL_VERBOSE": "1", "GIT_DEFAULT_HASH": "sha256",
    }),
    "git configuration": Machine(git=HOSTILE),
    "hash seed": Machine({"PYTHONHASHSEED": "4242", "PYTHONDONTWRITEBYTECODE": "1"}),
    "optimised": Machine({"PYTHONOPTIMIZE": "2", "PYTHONDONTWRITEBYTECODE": "1"}),
    "nice": Machine({"COLUMNS": "20", "TERM": "xterm-256color"}, prefix=("nice", "-n", "5")),
    "executable files": Machine(change=_executable),
    "other order": Machine(change=_other_order),
    "other files": Machine(change=_unpacked_dependencies),
}  # fmt: skip


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World.build(tmp_path_factory.mktemp("r07") / "world")
    world.commit("1.0.0")
    return world


@pytest.fixture(scope="session")
def usual(prepared: World, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The commit that it is everywhere."""
    world = prepared.copied(tmp_path_factory.mktemp("r07-usual") / "world")
    return _promoted(world, "1.0.0")


def _promoted(world: World, version: str) -> str:
    ran = world.promote("itg", version)
    assert ran.code == 0, ran.err
    return str(ran.data["commit"])


@pytest.mark.parametrize("name", MACHINES)
def test_r07_the_same_promotion_is_the_same_commit(
    name: str, prepared: World, usual: str, tmp_path: Path
) -> None:
    machine = MACHINES[name]
    world = prepared.copied(tmp_path / "world")
    if machine.change:
        machine.change(world)
    env = {**machine.env, "TMPDIR": str(tmp_path), **_configuration(machine.git, tmp_path)}
    plain = world.job(*world.promote_args("itg", "1.0.0"), "--output", "json", **env)
    job = jobs.Job(plain.args, plain.env, plain.cwd, machine.umask, machine.prefix)
    ran = jobs.run(job)
    assert ran.code == 0, ran.err
    assert ran.data["commit"] == usual
    assert world.branches()[ran.data["branch"]] == usual
    assert not (tmp_path / "canary").exists()


def _configuration(text: str, tmp_path: Path) -> dict[str, str]:
    """A user's configuration in a file; whatever program it names leaves a trace.

    Only hooks of a client are there: over `file://` the server is the user's own, too.
    """
    if not text:
        return {}
    program = f"#!/bin/sh\ntouch {tmp_path}/canary\nexit 1\n"
    hooks = {f"hooks/{name}": program for name in ("pre-push", "post-checkout")}
    template = {"template/hooks/reference-transaction": program, "template/hooks/pre-push": program}
    files = {
        "program": program,
        **hooks,
        **template,
        "attributes": "* filter=upper text eol=crlf\n",
    }
    builder.write_tree(files, tmp_path)
    for path in files:
        (tmp_path / path).chmod(0o755)
    config = text.format(canary=tmp_path / "program", folder=tmp_path)
    (tmp_path / "gitconfig").write_text(config, encoding="utf-8")
    return {"GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig")}


def test_r07_a_clone_of_the_ops_repository_elsewhere_gives_the_same_commit(
    prepared: World, usual: str, tmp_path: Path
) -> None:
    """Another copy, packed in another way, reached under another name."""
    world = prepared.copied(tmp_path / "a place with spaces" / "world")
    builder.git("gc", "--quiet", cwd=world.ops_git)
    other = world.root / "other.git"
    builder.git("clone", "--quiet", "--bare", world.ops_git, other)
    builder.git("config", "uploadpack.allowFilter", "true", cwd=other)
    world.git_url = other.as_uri()
    ran = world.promote("itg", "1.0.0")
    assert ran.code == 1, "the forge does not see what was pushed to another repository"
    branches = builder.git(
        "for-each-ref", "--format=%(objectname)", "refs/heads/promote", cwd=other
    )
    assert branches.split() == [usual]


def test_r07_other_bytes_are_another_release(prepared: World, usual: str, tmp_path: Path) -> None:
    """A checkout that turned line ends is not the same content, and says so by its id."""
    world = prepared.copied(tmp_path / "world")
    world.checkout("1.0.0")
    values = world.dev_folder / "deploy/values/prod.yaml"
    values.write_bytes(values.read_bytes().replace(b"\n", b"\r\n"))
    ran = world.run(*world.promote_args("itg", "1.0.0"), "--output", "json")
    assert ran.code == 0, ran.err
    assert ran.data["commit"] != usual


def test_r07_the_branch_stays_when_main_moves_on_for_another_application(
    prepared: World, usual: str, tmp_path: Path
) -> None:
    world = prepared.copied(tmp_path / "world")
    assert _promoted(world, "1.0.0") == usual
    world.push_to_main({"environments/itg/other/values-ops.yaml": "replicas: 2\n"})
    ran = world.promote("itg", "1.0.0")
    assert (ran.code, ran.data["result"], ran.data["commit"]) == (0, "open", usual)
    assert world.open_request("itg").head == usual


def test_r07_operations_files_of_the_same_application_move_nothing(
    prepared: World, usual: str, tmp_path: Path
) -> None:
    world = prepared.copied(tmp_path / "world")
    assert _promoted(world, "1.0.0") == usual
    world.push_to_main({f"{PLACE}/values-ops.yaml": "replicas: 2\n"})
    ran = world.promote("itg", "1.0.0")
    assert (ran.code, ran.data["result"], ran.data["commit"]) == (0, "open", usual)


def test_r07_a_changed_directory_makes_the_next_attempt(
    prepared: World, usual: str, tmp_path: Path
) -> None:
    world = prepared.copied(tmp_path / "world")
    assert _promoted(world, "1.0.0") == usual
    old = world.open_request("itg")
    world.push_to_main({f"{PLACE}/release/values.yaml": "by: hand\n"})
    ran = world.promote("itg", "1.0.0")
    assert (ran.code, ran.data["result"]) == (0, "opened"), ran.err
    new = world.open_request("itg")
    assert (new.source, new.head) == (f"{old.source}-r2", ran.data["commit"])
    assert new.head != usual
    trailer = builder.git("log", "-1", "--format=%(trailers:key=Gitops-Attempt)", new.head,
                          cwd=world.ops_git)  # fmt: skip
    assert trailer == "Gitops-Attempt: 2"
    tree = builder.git("rev-parse", f"{new.head}:{PLACE}/release", cwd=world.ops_git)
    assert tree == ran.data["tree"]


def test_r07_an_approval_never_slips_onto_other_content(prepared: World, tmp_path: Path) -> None:
    """What was approved on the first attempt is not approved on the second."""
    world = prepared.copied(tmp_path / "world")
    _promoted(world, "1.0.0")
    world.approve("itg", "tara")
    world.push_to_main({f"{PLACE}/release/values.yaml": "by: hand\n"})
    assert world.promote("itg", "1.0.0").code == 0
    assert world.ops().approvals(world.open_request("itg").number) == ()
