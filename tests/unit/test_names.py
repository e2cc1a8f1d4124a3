"""Names: what is allowed, how they are made and read again."""

from __future__ import annotations

import re
from string import ascii_letters, digits

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitops_ci import names
from gitops_ci.names import PromotionBranch, parse_branch

MANY = settings(max_examples=150, deadline=None, derandomize=True, database=None)
TREE = "4be1c07d2a91"


def matching(pattern: str) -> st.SearchStrategy[str]:
    return st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True)


APPS = matching(names.DNS_LABEL).filter(lambda text: not names.app_fault(text))
STAGES = matching(names.DNS_LABEL).filter(lambda text: not names.stage_fault(text))
VERSIONS = matching(names.VERSION).filter(lambda text: not names.version_fault(text))
TREES = st.text("0123456789abcdef", min_size=12, max_size=12)


# --- labels ------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a", "0", "shop-web", "a--b", "x" * 53, "1a", "secrets"])
def test_a_dns_label_names_an_application(text: str) -> None:
    assert names.app_fault(text) is None


@pytest.mark.parametrize("text", ["a", "itg", "x" * 30, "prod-2"])
def test_a_dns_label_names_a_stage(text: str) -> None:
    assert names.stage_fault(text) is None


BAD_LABELS = [
    "", "-", "-a", "a-", "A", "aB", "a.b", "a_b", "a b", " a", "a ", "a\n", "\na", "a/b", "/a",
    "..", "a\0", "ä", "\u0430", "\u202ea", "a\u200b", "😀", "${a}", "$(a)", "`a`", "a;b",
    "a%0ab", "a:b", "a@{1}", "a~1", "a^", "a*", "a?", "[a]", "a\\b", "\u0663", "\uff41",
]  # fmt: skip


@pytest.mark.parametrize("text", [*BAD_LABELS, "x" * 54, "all"])
def test_what_is_no_dns_label_names_no_application(text: str) -> None:
    assert names.app_fault(text)


@pytest.mark.parametrize("text", [*BAD_LABELS, "x" * 31, "all", "secrets"])
def test_what_is_no_dns_label_names_no_stage(text: str) -> None:
    assert names.stage_fault(text)


@pytest.mark.parametrize(
    "text",
    ["1", "2.14.0", "v1.2.3-rc.1", "A_b-c.D", "x" * 64, "7c1e9d2a", "1.0.locked"],
)
def test_a_version_may_be_what_people_tag(text: str) -> None:
    assert names.version_fault(text) is None


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "1..2", "-1", "1-", ".1", "1.", "_1", "1_", "1.lock", "1 2", "1+2", "1/2",
     "1\n", "\n1", "ä", "1:2", "1@2", "1~2", "x" * 65, "${a}", "1\0", "٣"],
)  # fmt: skip
def test_what_git_or_a_shell_could_misread_is_no_version(text: str) -> None:
    assert names.version_fault(text)


@pytest.mark.parametrize("text", ["a", "integration-tests", "e2e: chrome 1/2", "x" * 64, "A.b_c"])
def test_a_suite_may_be_named_like_a_job(text: str) -> None:
    assert names.suite_fault(text) is None


@pytest.mark.parametrize(
    "text", ["", " ", " a", "a ", "a:", "-a", "a\nb", "a\tb", "ä", "a|b", "a`", "x" * 65, "a\n"]
)
def test_a_suite_is_one_line_of_plain_text(text: str) -> None:
    assert names.suite_fault(text)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("a" * 40, True),
        ("0" * 40, True),
        ("A" * 40, False),
        ("a" * 39, False),
        ("a" * 41, False),
        ("a" * 40 + "\n", False),
        ("g" * 40, False),
        ("HEAD", False),
        ("", False),
    ],
)
def test_a_commit_is_forty_lower_case_digits(text: str, is_one: bool) -> None:
    assert names.is_commit(text) is is_one


# --- versions from tags ------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("v1.2.3", "v1.2.3"),
        ("release/2.1", "release-2.1"),
        ("1.0+build.5", "1.0-build.5"),
        ("a..b", "a.b"),
        ("-x-", "x"),
        ("x.lock", "x"),
        ("ä", ""),
        ("...", ""),
        ("", ""),
        ("x" * 80, "x" * 64),
        ("x" * 63 + "-y", "x" * 63),
        ("v1\n2", "v1-2"),
        ("$(id)", "id"),
    ],
)
def test_other_characters_of_a_tag_become_a_dash(tag: str, version: str) -> None:
    assert names.version_from_tag(tag) == version


@MANY
@given(tag=st.one_of(st.text(), st.text("ab.-_/", max_size=12)))
def test_what_is_made_of_a_tag_is_a_version_or_nothing(tag: str) -> None:
    version = names.version_from_tag(tag)
    assert not version or names.version_fault(version) is None


@pytest.mark.parametrize("tag", ["x.lock.lock", "x.lock_.lock", f"{'x' * 54}.lock.lock"])
def test_no_tag_makes_a_version_that_ends_in_lock(tag: str) -> None:
    assert names.version_fault(names.version_from_tag(tag)) is None


@MANY
@given(version=VERSIONS)
def test_a_tag_that_is_a_version_stays_as_it_is(version: str) -> None:
    assert names.version_from_tag(version) == version


# --- branches ----------------------------------------------------------------


@MANY
@given(
    stage=STAGES,
    app=APPS,
    version=VERSIONS,
    tree=TREES,
    attempt=st.integers(1, 9999),
)
@example(stage="a", app="a-b", version="1", tree=TREE, attempt=1)
@example(stage="a", app="a", version="b-1", tree=TREE, attempt=2)
@example(stage="a", app="a", version=f"1-{TREE}-r2", tree=TREE, attempt=1)
@example(stage="a", app="a", version="1", tree="0" * 12, attempt=9999)
def test_a_branch_is_read_back_as_it_was_written(
    stage: str, app: str, version: str, tree: str, attempt: int
) -> None:
    written = PromotionBranch(stage, app, names.release_id(app, version, tree * 4), attempt)
    assert parse_branch(str(written)) == written
    assert written.tree_prefix == tree
    assert str(written).startswith(names.promotion_prefix(stage, app))


PIECES = st.lists(
    st.sampled_from(
        ["promote/", "itg/", "a/", "a-b/", "a-", "a-b-", "1", "-", ".", "..", "/", "-r", "-r1",
         "-r2", "-r02", "-r10", TREE, "-" + TREE, ".lock", "all/", "secrets/",
         "\n", " ", "refs/heads/"]
    ),
    max_size=9,
).map("".join)  # fmt: skip


@MANY
@given(text=st.one_of(PIECES, PIECES.map(lambda end: f"promote/itg/a/a-1-{TREE}{end}")))
def test_no_branch_is_read_that_could_not_have_been_written(text: str) -> None:
    found = parse_branch(text)
    if found:
        assert str(found) == text
        assert names.app_fault(found.app) is None
        assert names.stage_fault(found.stage) is None
        assert found.release.startswith(f"{found.app}-")
        assert found.attempt >= 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "main",
        f"promote/itg/a/b-1-{TREE}",
        f"promote/itg/a/a-{TREE}",
        f"promote/itg/a/a--{TREE}",
        f"promote/itg/a/a-1-{TREE[:-1]}",
        f"promote/itg/a/a-1-{TREE.upper()}",
        f"promote/itg/a/a-1-{TREE}-r0",
        f"promote/itg/a/a-1-{TREE}-r1",
        f"promote/itg/a/a-1-{TREE}-r02",
        f"promote/itg/a/a-1-{TREE}-r",
        f"promote/itg/a/a-1-{TREE}-r-2",
        f"promote/itg/a/a-1-{TREE}/x",
        f"promote/itg/a/a-1-{TREE}\n",
        f"promote/all/a/a-1-{TREE}",
        f"promote/itg/all/all-1-{TREE}",
        f"promote/ITG/a/a-1-{TREE}",
        f"promote/itg/a/a-1..2-{TREE}",
        f"promote/itg/a/a-1.lock-{TREE}",
        f"promote/itg/a/a-{'1' * 65}-{TREE}",
        f"promote/itg/{'a' * 54}/{'a' * 54}-1-{TREE}",
        f"refs/heads/promote/itg/a/a-1-{TREE}",
        f"Promote/itg/a/a-1-{TREE}",
        f"rollback/itg/a/a-1-{TREE}",
    ],
)
def test_other_branches_are_not_ours(text: str) -> None:
    assert parse_branch(text) is None


def test_two_applications_whose_ids_read_the_same_have_branches_of_their_own() -> None:
    short = PromotionBranch("itg", "a", names.release_id("a", "b-1", TREE))
    long = PromotionBranch("itg", "a-b", names.release_id("a-b", "1", TREE))
    assert short.release == long.release
    assert (parse_branch(str(short)), parse_branch(str(long))) == (short, long)
    assert not str(long).startswith(names.promotion_prefix("itg", "a"))


def test_a_branch_that_is_very_long_is_judged_at_once() -> None:
    assert parse_branch(f"promote/itg/a/a-{'1-' * 5_000}!") is None
    assert parse_branch("promote/" + "a-" * 5_000) is None


# --- what is made of names ---------------------------------------------------


@pytest.mark.parametrize(
    ("image", "variable"),
    [
        ("web", "GITOPS_IMAGE_WEB"),
        ("shop-web", "GITOPS_IMAGE_SHOP_WEB"),
        ("a1", "GITOPS_IMAGE_A1"),
    ],
)
def test_an_image_has_a_variable(image: str, variable: str) -> None:
    assert names.image_variable(image) == variable


@MANY
@given(image=st.text())
def test_the_variable_of_an_image_can_be_set_in_every_shell(image: str) -> None:
    assert set(names.image_variable(image)) <= set(ascii_letters.upper() + digits + "_")


@MANY
@given(one=APPS, other=APPS)
def test_two_images_do_not_share_a_variable(one: str, other: str) -> None:
    same = names.image_variable(one) == names.image_variable(other)
    assert same == (one == other)


def test_labels_contexts_and_jobs_are_what_pipelines_and_people_rely_on() -> None:
    assert names.labels("itg", "shop-web") == {"stage:itg", "app:shop-web"}
    assert names.suite_context("integration-tests") == "gitops-ci/suite/integration-tests"
    assert names.live_job("itg") == "gitops-live-itg"
    assert (names.GATE, names.LIVE) == ("gitops-ci/gate", "gitops-ci/live")
