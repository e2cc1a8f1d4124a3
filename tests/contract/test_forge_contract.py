"""What every forge must do, asked through the Protocol alone.

Whatever the Protocol has no call for (people, branches, runners) goes through `ForgeWorld`.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from gitops_ci.errors import Conflict, Forbidden, NotFound
from gitops_ci.forge import CheckState, Draft, JobState, MergeRequest, MergeState, Relation
from tests.contract.forge_worlds import BOT, ForgeWorld

ABSENT = "1234567890abcdef1234567890abcdef12345678"
GATE = "gitops-ci/gate"


def open_one(world: ForgeWorld, branch: str = "promote/itg/web/1", **fields: object):
    """A branch with one commit, and its merge request by `bot`."""
    world.commit(branch, {f"{branch}/file": "new\n"})
    draft = {"title": "a title", "description": "a text", **fields}
    return world.forge.open(Draft(branch, "main", **draft))


def numbers(requests: tuple[MergeRequest, ...]) -> list[int]:
    return [request.number for request in requests]


# the project


def test_a_project_knows_its_own_words(forge_world):
    forge = forge_world.forge
    assert (forge.project, forge.default_branch()) == ("platform/shop-ops", "main")
    assert (forge.noun, forge.sigil) in {("merge request", "!"), ("pull request", "#")}
    assert forge.git_url.partition("://")[2]
    assert "@" not in forge.git_url


@pytest.mark.parametrize(
    ("user", "may_merge"), [(BOT, True), ("mona", True), ("dev", False), ("rita", False)]
)
def test_a_token_knows_whose_it_is_and_whether_it_may_merge(forge_world, user, may_merge):
    identity = forge_world.acting_as(user).whoami()
    assert (identity.name, identity.may_merge) == (user, may_merge)


def test_a_group_stands_for_its_members_and_a_user_for_itself(forge_world):
    assert forge_world.forge.members("tst-owners") == {"tina", "tom"}
    assert forge_world.forge.members("tina") == {"tina"}


# opening


def test_an_opened_merge_request_says_what_was_asked_for(forge_world):
    head = forge_world.commit("promote/itg/web/1", {"web": "new\n"})
    labels = frozenset({"gitops-ci", "stage:itg"})
    opened = forge_world.forge.open(Draft("promote/itg/web/1", "main", "title", "text", labels))
    assert (opened.source, opened.target) == ("promote/itg/web/1", "main")
    assert (opened.title, opened.description, opened.labels) == ("title", "text", labels)
    assert (opened.head, opened.state, opened.author) == (head, MergeState.OPEN, BOT)
    assert (opened.merge_commit, opened.merged_by, opened.merged_at) == (None, None, None)
    assert opened.closed_by is None
    assert opened.created.utcoffset() == timedelta(0)
    assert opened.url
    assert forge_world.forge.get(opened.number) == opened


def test_a_second_open_merge_request_of_a_branch_is_refused(forge_world):
    first = open_one(forge_world)
    with pytest.raises(Conflict):
        forge_world.forge.open(Draft(first.source, "main", "again", ""))
    assert forge_world.forge.find(first.source) == (first,)


def test_a_branch_that_does_not_exist_cannot_be_proposed(forge_world):
    with pytest.raises(Conflict):
        forge_world.forge.open(Draft("promote/itg/web/none", "main", "t", ""))


def test_a_target_that_does_not_exist_is_refused(forge_world):
    forge_world.commit("topic", {"a": "1"})
    with pytest.raises(Conflict):
        forge_world.forge.open(Draft("topic", "nowhere", "t", ""))


def test_a_branch_without_anything_new_cannot_be_proposed(forge_world):
    done = open_one(forge_world)
    forge_world.forge.merge(done.number, head=done.head)
    forge_world.commit("main", {"later": "x"})
    with pytest.raises(Conflict):
        forge_world.forge.open(Draft(done.source, "main", "again", ""))
    assert numbers(forge_world.forge.find(done.source)) == [done.number]


def test_a_reporter_cannot_open_one_and_a_developer_can(forge_world):
    forge_world.commit("topic", {"a": "1"})
    draft = Draft("topic", "main", "t", "")
    with pytest.raises(Forbidden):
        forge_world.acting_as("rita").open(draft)
    assert forge_world.acting_as("dev").open(draft).author == "dev"


def test_a_closed_branch_may_be_proposed_again(forge_world):
    first = open_one(forge_world)
    forge_world.forge.close(first.number)
    second = forge_world.forge.open(Draft(first.source, "main", "again", ""))
    assert second.number > first.number
    assert numbers(forge_world.forge.find(first.source)) == [first.number, second.number]


# finding


def test_find_takes_exactly_this_branch(forge_world):
    wanted = open_one(forge_world, "promote/itg/web/web-1.0-aaa")
    for near in ("web-1.0-aaa-r2", "web-1.0-aa", "xweb-1.0-aaa"):
        open_one(forge_world, f"promote/itg/web/{near}")
    assert forge_world.forge.find(wanted.source) == (wanted,)


@pytest.mark.parametrize(
    "source", ["", "promote", "promote/itg/web", "promote/*", "refs/heads/topic", "-x", "topic~0"]
)
def test_find_takes_no_pattern_and_no_prefix(forge_world, source):
    open_one(forge_world, "topic")
    open_one(forge_world, "promote/itg/web/1")
    assert forge_world.forge.find(source) == ()


def test_lists_are_complete_and_newest_first(forge_world):
    for count in range(27):
        open_one(forge_world, f"promote/itg/web/{count}", labels=frozenset({"gitops-ci"}))
    listed = numbers(forge_world.forge.list(labels=["gitops-ci"]))
    assert len(listed) == 27
    assert listed == sorted(listed, reverse=True)
    assert numbers(forge_world.forge.list(labels=["gitops-ci"], limit=22)) == listed[:22]


def test_a_list_holds_only_those_with_all_the_labels(forge_world):
    both = open_one(forge_world, "a", labels=frozenset({"app:web", "stage:itg"}))
    open_one(forge_world, "b", labels=frozenset({"app:web"}))
    open_one(forge_world, "c", labels=frozenset({"app:web-two", "stage:itg"}))
    assert forge_world.forge.list(labels=["app:web", "stage:itg"]) == (both,)
    assert forge_world.forge.list(labels=["app:none"]) == ()


def test_a_list_can_be_of_one_state(forge_world):
    kept, shut, done = (open_one(forge_world, name, labels=frozenset({"x"})) for name in "abc")
    forge_world.forge.close(shut.number)
    forge_world.forge.merge(done.number, head=done.head)
    expected = {MergeState.OPEN: kept, MergeState.CLOSED: shut, MergeState.MERGED: done}
    for state, request in expected.items():
        listed = forge_world.forge.list(labels=["x"], state=state)
        assert numbers(listed) == [request.number]
        assert listed[0].state is state
    assert len(forge_world.forge.list(labels=["x"])) == 3


def test_a_limit_counts_what_the_list_holds(forge_world):
    wanted = [open_one(forge_world, f"a{n}", labels=frozenset({"x"})).number for n in range(3)]
    for n in range(3):
        open_one(forge_world, f"b{n}")
    assert numbers(forge_world.forge.list(labels=["x"], limit=2)) == [wanted[2], wanted[1]]


def test_a_number_that_was_never_given_is_not_found(forge_world):
    forge = forge_world.forge
    for call in (
        lambda: forge.get(99),
        lambda: forge.close(99),
        lambda: forge.update(99, title="t"),
        lambda: forge.merge(99, head=ABSENT),
        lambda: forge.comment(99, marker="m", body="m b"),
        lambda: forge.comment_with(99, "m"),
        lambda: forge.approvals(99),
    ):
        with pytest.raises(NotFound):
            call()


# changing


def test_the_head_of_an_open_one_follows_its_branch(forge_world):
    opened = open_one(forge_world)
    pushed = forge_world.commit(opened.source, {"more": "x\n"})
    assert forge_world.forge.get(opened.number).head == pushed
    assert forge_world.forge.find(opened.source)[0].head == pushed
    assert forge_world.forge.list(labels=[])[0].head == pushed


def test_the_head_survives_its_branch(forge_world):
    opened = open_one(forge_world)
    forge_world.forge.close(opened.number)
    forge_world.delete_branch(opened.source)
    assert forge_world.forge.get(opened.number).head == opened.head
    assert forge_world.forge.find(opened.source)[0].head == opened.head


def test_an_update_changes_only_what_it_is_given(forge_world):
    opened = open_one(forge_world, labels=frozenset({"x"}))
    titled = forge_world.forge.update(opened.number, title="other")
    assert (titled.title, titled.description, titled.labels) == ("other", "a text", {"x"})
    described = forge_world.forge.update(opened.number, description="")
    assert (described.title, described.description, described.labels) == ("other", "", {"x"})


def test_labels_are_united_never_replaced(forge_world):
    opened = open_one(forge_world, labels=frozenset({"gitops-ci"}))
    forge_world.acting_as("mona").update(opened.number, add_labels=["gitops-hold"])
    after = forge_world.forge.update(opened.number, add_labels=["gitops-pending", "gitops-ci"])
    assert after.labels == {"gitops-ci", "gitops-hold", "gitops-pending"}


def test_removing_a_label_that_is_not_there_is_fine(forge_world):
    opened = open_one(forge_world, labels=frozenset({"a", "b"}))
    after = forge_world.forge.update(opened.number, remove_labels=["b", "c"])
    assert after.labels == {"a"}


def test_labels_change_on_a_merged_one_too(forge_world):
    opened = open_one(forge_world, labels=frozenset({"gitops-pending"}))
    forge_world.forge.merge(opened.number, head=opened.head)
    after = forge_world.forge.update(opened.number, remove_labels=["gitops-pending"])
    assert (after.labels, after.state) == (frozenset(), MergeState.MERGED)


HOSTILE = [
    "$(touch x) `id`",
    "--upload-pack=touch x",
    "\U0001f680 größer <b>&amp;</b>",
    "a'b\"c\\n%s",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_kept_byte_for_byte(forge_world, text):
    body = f"{text}\n\n/approve\n::set-output\n{text}"
    opened = open_one(forge_world, title=text, description=body, labels=frozenset({text}))
    forge_world.forge.comment(opened.number, marker="<!-- m -->", body=f"<!-- m -->{body}")
    forge_world.forge.set_status(
        opened.head, context=GATE, state=CheckState.PENDING, description=text
    )
    again = forge_world.forge.get(opened.number)
    assert (again.title, again.description, again.labels) == (text, body, {text})
    assert forge_world.forge.list(labels=[text]) == (again,)
    assert forge_world.forge.comment_with(opened.number, "<!-- m -->") == f"<!-- m -->{body}"
    assert [s.description for s in forge_world.forge.statuses(opened.head)] == [text]


# closing


def test_a_closed_one_says_who_closed_it(forge_world):
    opened = open_one(forge_world)
    closed = forge_world.acting_as("dev").close(opened.number)
    assert (closed.state, closed.closed_by) == (MergeState.CLOSED, "dev")
    assert forge_world.forge.get(opened.number) == closed


def test_closing_twice_changes_nothing(forge_world):
    opened = open_one(forge_world)
    closed = forge_world.acting_as("mona").close(opened.number)
    assert forge_world.forge.close(opened.number) == closed
    assert forge_world.forge.get(opened.number).closed_by == "mona"


def test_a_merged_one_cannot_be_closed(forge_world):
    opened = open_one(forge_world)
    forge_world.forge.merge(opened.number, head=opened.head)
    with pytest.raises(Conflict):
        forge_world.forge.close(opened.number)
    assert forge_world.forge.get(opened.number).state is MergeState.MERGED


def test_a_reporter_cannot_close(forge_world):
    opened = open_one(forge_world)
    with pytest.raises(Forbidden):
        forge_world.acting_as("rita").close(opened.number)
    assert forge_world.forge.get(opened.number).state is MergeState.OPEN


# merging


def test_a_merge_takes_the_head_into_the_target(forge_world):
    opened = open_one(forge_world)
    merged = forge_world.forge.merge(opened.number, head=opened.head)
    assert (merged.state, merged.merged_by, merged.head) == (MergeState.MERGED, BOT, opened.head)
    assert merged.merged_at is not None
    assert merged.merged_at >= merged.created
    assert merged.merge_commit is not None
    assert opened.head in forge_world.parents(merged.merge_commit)
    assert forge_world.files("main")[f"{opened.source}/file"] == "new"
    assert forge_world.forge.get(opened.number) == merged


def test_a_merge_keeps_what_others_merged_before(forge_world):
    opened = [open_one(forge_world, name) for name in "abc"]
    for request in opened:
        forge_world.forge.merge(request.number, head=request.head)
    assert {"a/file", "b/file", "c/file", "README"} <= forge_world.files("main").keys()


def test_a_merge_of_a_moved_head_is_refused(forge_world):
    opened = open_one(forge_world)
    pushed = forge_world.commit(opened.source, {"sneaked": "in\n"})
    with pytest.raises(Conflict):
        forge_world.forge.merge(opened.number, head=opened.head)
    assert "sneaked" not in forge_world.files("main")
    assert forge_world.forge.merge(opened.number, head=pushed).head == pushed


def test_a_merge_of_some_other_commit_is_refused(forge_world):
    opened = open_one(forge_world)
    other = forge_world.commit("other", {"x": "y"})
    for head in (other, ABSENT, opened.head[:12], ""):
        with pytest.raises(Conflict):
            forge_world.forge.merge(opened.number, head=head)
    assert forge_world.forge.get(opened.number).state is MergeState.OPEN


def test_a_merge_that_is_not_clean_is_refused(forge_world):
    head = forge_world.commit("topic", {"shared.txt": "mine\n"})
    before = forge_world.commit("main", {"shared.txt": "theirs\n"})
    opened = forge_world.forge.open(Draft("topic", "main", "t", ""))
    with pytest.raises(Conflict):
        forge_world.forge.merge(opened.number, head=head)
    assert forge_world.files("main")["shared.txt"] == "theirs"
    assert forge_world.forge.get(opened.number).state is MergeState.OPEN
    assert forge_world.forge.compare(before, head) is Relation.DIVERGED


@pytest.mark.parametrize("end", ["merge", "close"])
def test_only_an_open_one_is_merged(forge_world, end):
    opened = open_one(forge_world)
    if end == "merge":
        forge_world.forge.merge(opened.number, head=opened.head)
    else:
        forge_world.forge.close(opened.number)
    before = forge_world.forge.get(opened.number)
    with pytest.raises(Conflict):
        forge_world.forge.merge(opened.number, head=opened.head)
    assert forge_world.forge.get(opened.number) == before


@pytest.mark.parametrize("user", ["dev", "rita"])
def test_only_a_maintainer_merges_into_the_default_branch(forge_world, user):
    opened = open_one(forge_world)
    with pytest.raises(Forbidden) as refused:
        forge_world.acting_as(user).merge(opened.number, head=opened.head)
    assert refused.value.hint
    assert forge_world.forge.get(opened.number).state is MergeState.OPEN
    assert forge_world.acting_as("mona").merge(opened.number, head=opened.head).merged_by == "mona"


# approvals


def test_an_approval_names_the_person_and_the_head(forge_world):
    opened = open_one(forge_world)
    assert forge_world.forge.approvals(opened.number) == ()
    for user in ("tina", "tom"):
        forge_world.approve(user, opened.number)
    given = {(a.user, a.head) for a in forge_world.forge.approvals(opened.number)}
    assert given == {("tina", opened.head), ("tom", opened.head)}


def test_the_author_cannot_approve(forge_world):
    opened = open_one(forge_world)
    with pytest.raises(Forbidden):
        forge_world.approve(BOT, opened.number)
    assert forge_world.forge.approvals(opened.number) == ()


def test_an_approval_never_slips_onto_a_newer_head(forge_world):
    opened = open_one(forge_world)
    forge_world.approve("tina", opened.number)
    pushed = forge_world.commit(opened.source, {"more": "x\n"})
    assert pushed not in {a.head for a in forge_world.forge.approvals(opened.number)}
    forge_world.approve("tina", opened.number)
    assert [a.user for a in forge_world.forge.approvals(opened.number) if a.head == pushed] == [
        "tina"
    ]


def test_approving_twice_counts_once(forge_world):
    opened = open_one(forge_world)
    forge_world.approve("tina", opened.number)
    forge_world.approve("tina", opened.number)
    assert [a.user for a in forge_world.forge.approvals(opened.number)] == ["tina"]


def test_approvals_survive_the_merge(forge_world):
    opened = open_one(forge_world)
    forge_world.approve("tina", opened.number)
    forge_world.forge.merge(opened.number, head=opened.head)
    assert [a.user for a in forge_world.forge.approvals(opened.number)] == ["tina"]


# comments


def test_a_comment_is_replaced_by_its_marker(forge_world):
    number = open_one(forge_world).number
    forge = forge_world.forge
    assert forge.comment_with(number, "<!-- diff") is None
    forge.comment(number, marker="<!-- diff", body="<!-- diff 1 -->\nold")
    forge.comment(number, marker="<!-- diff", body="<!-- diff 2 -->\nnew")
    assert forge.comment_with(number, "<!-- diff") == "<!-- diff 2 -->\nnew"
    assert forge.comment_with(number, "<!-- diff 1") is None


def test_comments_with_other_markers_stay(forge_world):
    number = open_one(forge_world).number
    for marker in ("<!-- a -->", "<!-- b -->"):
        forge_world.forge.comment(number, marker=marker, body=f"{marker} first")
    forge_world.forge.comment(number, marker="<!-- a -->", body="<!-- a --> second")
    assert forge_world.forge.comment_with(number, "<!-- a -->") == "<!-- a --> second"
    assert forge_world.forge.comment_with(number, "<!-- b -->") == "<!-- b --> first"


def test_a_marker_in_the_middle_is_no_marker(forge_world):
    number = open_one(forge_world).number
    forge_world.forge.comment(number, marker="<!-- a -->", body="<!-- a --> about <!-- b -->")
    assert forge_world.forge.comment_with(number, "<!-- b -->") is None


def test_somebody_elses_comment_is_never_taken_for_ours(forge_world):
    number = open_one(forge_world).number
    forge_world.acting_as("dev").comment(number, marker="<!-- m", body="<!-- m --> forged")
    assert forge_world.forge.comment_with(number, "<!-- m") is None
    forge_world.forge.comment(number, marker="<!-- m", body="<!-- m --> ours")
    assert forge_world.forge.comment_with(number, "<!-- m") == "<!-- m --> ours"
    assert forge_world.acting_as("dev").comment_with(number, "<!-- m") == "<!-- m --> forged"


def test_a_merged_one_takes_comments(forge_world):
    opened = open_one(forge_world)
    forge_world.forge.merge(opened.number, head=opened.head)
    forge_world.forge.comment(opened.number, marker="m", body="m live")
    assert forge_world.forge.comment_with(opened.number, "m") == "m live"


# statuses


def shown(world: ForgeWorld, commit: str) -> set[tuple[str, str, str, str]]:
    found = world.forge.statuses(commit)
    return {(s.context, s.state.value, s.description, s.creator) for s in found}


def test_a_commit_without_statuses_has_none(forge_world):
    assert forge_world.forge.statuses(forge_world.commit("topic", {"a": "1"})) == ()


@pytest.mark.parametrize("state", list(CheckState))
def test_every_state_is_kept_as_it_was_recorded(forge_world, state):
    commit = forge_world.commit("topic", {"a": "1"})
    forge_world.forge.set_status(commit, context=GATE, state=state, description="why")
    assert shown(forge_world, commit) == {(GATE, state.value, "why", BOT)}


def test_the_newest_status_of_a_context_counts(forge_world):
    commit = forge_world.commit("topic", {"a": "1"})
    states = (CheckState.PENDING, CheckState.FAILURE, CheckState.SUCCESS, CheckState.PENDING)
    for state in states:
        forge_world.forge.set_status(commit, context=GATE, state=state, description="d")
    assert shown(forge_world, commit) == {(GATE, "pending", "d", BOT)}


def test_recording_a_status_again_changes_nothing(forge_world):
    commit = forge_world.commit("topic", {"a": "1"})
    for _ in range(3):
        forge_world.forge.set_status(
            commit, context=GATE, state=CheckState.PENDING, description="d"
        )
        before = forge_world.forge.statuses(commit)
    forge_world.forge.set_status(commit, context=GATE, state=CheckState.PENDING, description="d")
    assert forge_world.forge.statuses(commit) == before


def test_another_description_is_another_status(forge_world):
    commit = forge_world.commit("topic", {"a": "1"})
    for text in ("waits for tst", "waits for the window"):
        forge_world.forge.set_status(
            commit, context=GATE, state=CheckState.PENDING, description=text
        )
    assert shown(forge_world, commit) == {(GATE, "pending", "waits for the window", BOT)}


def test_each_creator_has_a_status_of_its_own(forge_world):
    commit = forge_world.commit("topic", {"a": "1"})
    forge_world.forge.set_status(commit, context=GATE, state=CheckState.FAILURE, description="no")
    forge_world.acting_as("dev").set_status(
        commit, context=GATE, state=CheckState.SUCCESS, description="yes"
    )
    assert shown(forge_world, commit) == {
        (GATE, "failure", "no", BOT),
        (GATE, "success", "yes", "dev"),
    }


def test_contexts_and_commits_do_not_mix(forge_world):
    one = forge_world.commit("topic", {"a": "1"})
    two = forge_world.commit("topic", {"a": "2"})
    for commit, context in ((one, "gitops-ci/live"), (one, "gitops-ci/suite/x"), (two, GATE)):
        forge_world.forge.set_status(
            commit, context=context, state=CheckState.SUCCESS, description=""
        )
    assert {s.context for s in forge_world.forge.statuses(one)} == {
        "gitops-ci/live",
        "gitops-ci/suite/x",
    }
    assert {s.context for s in forge_world.forge.statuses(two)} == {GATE}


def test_a_reporter_cannot_record_a_status(forge_world):
    commit = forge_world.commit("topic", {"a": "1"})
    with pytest.raises(Forbidden):
        forge_world.acting_as("rita").set_status(
            commit, context=GATE, state=CheckState.SUCCESS, description="x"
        )
    assert forge_world.forge.statuses(commit) == ()


def test_a_commit_that_does_not_exist_takes_no_status(forge_world):
    with pytest.raises(NotFound):
        forge_world.forge.set_status(
            ABSENT, context=GATE, state=CheckState.SUCCESS, description="x"
        )


# jobs

CHAIN = {
    "build": JobState.WAITING,
    "gitops-live-itg": JobState.MANUAL,
    "integration-tests": JobState.WAITING,
}


def job(world: ForgeWorld, commit: str, name: str):
    return [run for run in world.forge.jobs(commit) if run.name == name][-1]


def test_a_commit_without_a_pipeline_has_no_jobs(forge_world):
    assert forge_world.forge.jobs(forge_world.commit("main", {"a": "1"})) == ()


def test_jobs_come_by_id_with_their_states(forge_world):
    commit = forge_world.commit("main", {"a": "1"})
    forge_world.start_pipeline(commit, CHAIN)
    jobs = forge_world.forge.jobs(commit)
    assert {run.name: run.state for run in jobs} == CHAIN
    assert [run.id for run in jobs] == sorted({run.id for run in jobs})


def test_two_pipelines_share_no_job(forge_world):
    ids = []
    for content in "12":
        commit = forge_world.commit("main", {"a": content})
        forge_world.start_pipeline(commit, CHAIN)
        ids += [run.id for run in forge_world.forge.jobs(commit)]
    assert len(set(ids)) == 6


def test_a_job_that_ended_says_when_it_ran(forge_world):
    commit = forge_world.commit("main", {"a": "1"})
    forge_world.start_pipeline(commit, CHAIN)
    assert job(forge_world, commit, "build").finished is None
    forge_world.finish(job(forge_world, commit, "build"), JobState.PASSED)
    done = job(forge_world, commit, "build")
    assert done.state is JobState.PASSED
    assert done.started is not None
    assert done.finished is not None
    assert done.started <= done.finished


def test_a_retry_is_a_run_of_its_own(forge_world):
    commit = forge_world.commit("main", {"a": "1"})
    forge_world.start_pipeline(commit, CHAIN)
    first = job(forge_world, commit, "integration-tests")
    forge_world.finish(first, JobState.FAILED)
    forge_world.retry(job(forge_world, commit, "integration-tests"))
    forge_world.finish(job(forge_world, commit, "integration-tests"), JobState.PASSED)
    runs = [r for r in forge_world.forge.jobs(commit) if r.name == "integration-tests"]
    assert [run.state for run in runs] == [JobState.FAILED, JobState.PASSED]
    assert runs[0].id == first.id < runs[1].id
    jobs = forge_world.forge.jobs(commit)
    assert [run.id for run in jobs] == sorted(run.id for run in jobs)


def test_playing_starts_a_manual_job_once(forge_world):
    commit = forge_world.commit("main", {"a": "1"})
    forge_world.start_pipeline(commit, CHAIN)
    manual = job(forge_world, commit, "gitops-live-itg")
    played = forge_world.forge.play(manual)
    assert (played.id, played.name) == (manual.id, manual.name)
    assert played.state in {JobState.WAITING, JobState.RUNNING}
    assert forge_world.forge.play(manual).state in {JobState.WAITING, JobState.RUNNING}
    assert len(forge_world.forge.jobs(commit)) == len(CHAIN)


def test_playing_a_job_that_ended_returns_it_as_it_is(forge_world):
    commit = forge_world.commit("main", {"a": "1"})
    forge_world.start_pipeline(commit, CHAIN)
    manual = job(forge_world, commit, "gitops-live-itg")
    forge_world.forge.play(manual)
    forge_world.finish(manual, JobState.PASSED)
    before = forge_world.forge.jobs(commit)
    assert forge_world.forge.play(manual).state is JobState.PASSED
    assert forge_world.forge.jobs(commit) == before


# ancestry


def test_commits_are_compared_by_ancestry(forge_world):
    base = forge_world.commit("main", {"a": "1"})
    ahead = forge_world.commit("main", {"a": "2"})
    side = forge_world.commit("side", {"b": "1"}, base="main")
    other = forge_world.commit("main", {"a": "3"})
    compare = forge_world.forge.compare
    assert compare(base, base) is Relation.SAME
    assert compare(base, ahead) is Relation.AHEAD
    assert compare(ahead, base) is Relation.BEHIND
    assert compare(base, side) is Relation.AHEAD
    assert compare(other, side) is Relation.DIVERGED
    assert compare(side, other) is Relation.DIVERGED


def test_a_commit_that_is_not_there_compares_to_nothing(forge_world):
    known = forge_world.commit("main", {"a": "1"})
    for base, head in ((known, ABSENT), (ABSENT, known), (ABSENT, ABSENT)):
        assert forge_world.forge.compare(base, head) is Relation.UNKNOWN


def test_a_merge_puts_its_head_behind_the_default_branch(forge_world):
    opened = open_one(forge_world)
    merged = forge_world.forge.merge(opened.number, head=opened.head)
    assert forge_world.forge.compare(opened.head, merged.merge_commit) is Relation.AHEAD
