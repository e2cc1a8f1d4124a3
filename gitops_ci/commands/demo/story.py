"""What the demo tells, step by step, in plain words."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gitops_ci import files
from gitops_ci.commands.demo.world import APP, World


@dataclass(frozen=True, slots=True)
class Story:
    """How it ended."""

    live: tuple[tuple[str, str], ...]  # stage and the release that runs there
    status: str


def tell(world: World) -> Story:
    """The whole story."""
    _set_the_scene(world)
    _first_release(world)
    _overtaken(replace(world, is_brief=True))
    _stopped(world)
    world.write_down()
    status = world.status()
    _the_end(world, status)
    live = tuple((stage, world.live_in(stage)) for stage in ("itg", "tst", "perf", "prod"))
    return Story(live, status)


def _set_the_scene(world: World) -> None:
    world.say(f"""
A small team builds the application {APP}. It has two repositories:

  shop/web           the code, the Helm chart, and the configuration of each stage   (dev repo)
  platform/shop-ops  what each stage runs; Argo CD watches it                          (ops repo)

A release shall go through four stages: itg, tst, perf, prod. Nobody copies anything by hand, and
nothing enters a stage without a merge request that shows exactly what changes there.""")


def _first_release(world: World) -> None:
    commit = _merge(world, "1.0.0", "Open the shop", "Welcome", first=True)
    world.say("\n== itg: the automatic stage")
    world.say(
        "  The dev pipeline proposes the release. The job ends at once; nothing waits on a runner."
    )
    world.run_jobs(commit, "1.0.0")
    world.say("""\
  The ops pipeline judges the merge request: are all rules of its stage met? That verdict is called
  the gate. itg asks for no approval, so the pipeline merges.""")
    world.reconcile()
    world.say("""\
  Argo CD sees the new commit on main and applies it to the cluster, which is called a Sync. For itg
  it does so by itself.  [played]""")
    world.sync("itg")
    world.say("""\
  The release is live. The ops pipeline records that on the merge commit (the commit that the merge
  has made), and starts the tests: each suite is a job of the dev pipeline.""")
    world.reconcile()
    world.run_jobs(commit, "1.0.0")
    _reviewed(world, commit, "tst", ("tara",), "1.0.0")
    brief = replace(world, is_brief=True)
    world.say("\n  The same way twice more; of each command only what came of it.")
    _reviewed(brief, commit, "perf", ("petra",), "1.0.0")
    _reviewed(brief, commit, "prod", ("olaf", "oksana"), "1.0.0")
    world.say("\n  1.0.0 is in production: one tree of files, through four merge requests.")


def _merge(world: World, version: str, subject: str, greeting: str, *, first: bool = False) -> str:
    """A developer's merge: a new commit on main, and its pipeline."""
    values = world.root / "web" / "deploy" / "values.yaml"
    lines = [line for line in files.read_text(values).splitlines() if "greeting:" not in line]
    files.write_text(values, "\n".join([*lines, f"greeting: {greeting}"]) + "\n")
    commit = world.commit("web", subject)
    world.git("tag", version, cwd="web")
    world.say(f"\n== Anna merges “{subject}”: version {version}, commit {commit[:12]}")
    if first:
        world.say(
            "  CI builds and pushes the image. From here on the image is named by its digest, the\n"
            "  checksum of its content: a tag can be moved to another image, a digest cannot."
        )
    world.start_pipeline(commit)
    return commit


def _reviewed(
    world: World,
    commit: str,
    stage: str,
    owners: tuple[str, ...],
    version: str,
    *,
    failing: str = "",
) -> None:
    """One stage with people: review, merge, Sync, tests."""
    world.say(f"\n== {stage}: reviewed, and synced by hand")
    world.explain(
        "  The ops pipeline judges the proposal, and posts what the cluster will be told."
    )
    world.reconcile()
    for owner in owners:
        world.approve(owner, stage)
    world.explain("  Enough approvals on exactly this commit: the ops pipeline merges.")
    world.reconcile()
    world.say(
        f"  {owners[0].capitalize()} presses Sync in Argo CD when it suits {stage}.  [played]"
    )
    world.sync(stage)
    world.explain("  Live: its tests may start.")
    world.reconcile()
    world.run_jobs(commit, version, failing=failing)


def _through_itg(world: World, version: str, subject: str, greeting: str) -> str:
    commit = _merge(world, version, subject, greeting)
    world.run_jobs(commit, version)
    world.reconcile()
    world.say("  Argo CD syncs itg.  [played]")
    world.sync("itg")
    world.reconcile()
    world.run_jobs(commit, version)
    return commit


def _overtaken(world: World) -> None:
    world.say("\n== Two releases at once: the newer one overtakes")
    _through_itg(world, "1.1.0", "Greet in spring", "Spring is here")
    older = world.open_request("tst")
    world.say(
        f"  1.1.0 is proposed for tst as !{older.number}. Tara is at lunch; 1.2.0 comes along."
    )
    _through_itg(world, "1.2.0", "Greet in summer", "Summer sale")
    newer = world.open_request("tst")
    world.say(f"  !{older.number} is closed now and links to !{newer.number}: no stage goes back.")


def _stopped(whole: World) -> None:
    world = replace(whole, is_brief=True)
    world.say("\n== A failed suite stops the way")
    commit = world.git("rev-parse", "HEAD", cwd="web").strip()
    _reviewed(world, commit, "tst", ("tara",), "1.2.0", failing="acceptance-tests")
    world.reconcile()
    world.say("  acceptance-tests failed, so promote-perf never starts. Somebody tries it by hand:")
    known = {"GITLAB_CI": "true", "CI_PROJECT_PATH": "shop/web", "CI_COMMIT_SHA": commit}
    known["GITOPS_RELEASE"] = world.outputs(commit)["GITOPS_RELEASE"]
    claims = ("--suite", "acceptance-tests=passed", "--suite", "functional-tests=passed")
    whole.command("promote", "--stage", "perf", *claims, cwd="web", env=known)
    world.say("  The ops side has read the job itself. perf and prod keep 1.0.0.")


def _the_end(world: World, status: str) -> None:
    world.say("\n== Who has what\n")
    world.say(status.rstrip())
    root = world.root
    world.say(f"""
== Look around

  {root}/web                     the dev repo: chart, values, gitops-ci.yaml
  {root}/ops                     the ops repo: environments/ is what each stage runs
  {root}/merge-requests/8.md     what Tara read before she approved 1.2.0
  {root}/forge                   the forge: two bare repositories, everything else in their refs
  git --git-dir {root}/forge/platform/shop-ops.git log refs/gitops-ci/mr/2    its audit trail
""")
