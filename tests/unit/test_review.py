"""What people read in a merge request, and that nobody else's text can write into it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from gitops_ci import review
from gitops_ci.config import Merge, Stage, Sync
from gitops_ci.passports import By, ChartRef, EvidenceLine, ImageRef, Passport, Result, Source
from gitops_ci.progress import Seen
from gitops_ci.resources import Change, RenderedDiff, ResourceDiff
from tests.support.promotions import ITG, OLDER, OURS, PROD, SUITE, TST, oid, passport, seen

GOLDEN = Path(__file__).parents[1] / "cases" / "review"
MANY = settings(max_examples=150, deadline=None, derandomize=True, database=None)

TESTED = OURS.with_evidence([EvidenceLine("itg", SUITE, Result.PASSED, By.VERIFIED)])
GROWN = replace(
    OURS,
    images=(*OURS.images, ImageRef("job", f"registry.example.com/shop/job:7@sha256:{'4c' * 32}")),
    chart=ChartRef("web", "1.9.0"),
    evidence=(
        EvidenceLine("itg", SUITE, Result.PASSED, By.VERIFIED),
        EvidenceLine("tst", "acceptance-tests", Result.PASSED, By.CLAIMED),
    ),
)
MANUAL = replace(TST, merge=Merge.MANUAL, owners=("tst-owners", "anna"), approvals=2)


# --- golden texts ------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "world", "shown", "accepted"),
    [
        ("first-entry", seen(), TESTED, None),
        ("update", seen(PROD, current=OLDER), GROWN, None),
        ("automatic", seen(ITG), replace(OURS, source=Source("shop/web", oid("c"))), None),
        ("manual", seen(MANUAL, current=OLDER), TESTED, None),
        ("accepted", seen(current=OLDER), TESTED, "both teams agreed, see <b>#7</b> @anna"),
        ("no-owners", seen(replace(TST, owners=())), TESTED, None),
    ],
)
def test_a_description_reads_like_this(
    name: str, world: Seen, shown: Passport, accepted: str | None
) -> None:
    text = review.description(world, shown, accepted=accepted)
    assert text + "\n" == (GOLDEN / f"{name}.md").read_text(encoding="utf-8")


def test_a_title_says_what_goes_where() -> None:
    assert review.title(OURS, "tst") == "Promote shop-web 2.1.0 to tst"
    long = passport("1" * 64, app="a" * 53)
    assert len(review.title(long, "s" * 300)) == review.TITLE_LIMIT


# --- foreign text ------------------------------------------------------------

HOSTILE = [
    "@anna",
    "/approve",
    "\n/approve\n",
    "\r\n/merge",
    "x\n\n/close",
    "a | b | c",
    "|",
    "`code`",
    "```\n/approve\n```",
    "~~~",
    "<script>alert(1)</script>",
    "</code></td>",
    "</details>",
    "<!-- gitops-ci:news -->",
    "-->",
    "<img src=x onerror=y>",
    "&lt;b&gt;",
    "&#64;anna",
    "**bold** __bold__ *it* _it_",
    "[text](https://evil.example)",
    "![pixel](https://evil.example/p.png)",
    "[ref]: https://evil.example",
    "<https://evil.example>",
    "# heading",
    "- item",
    "+ item",
    "---",
    "===",
    "> quote",
    "    indented",
    "\ttab",
    "#1 !2 $3 ~label %4",
    "\\",
    "\\|",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "\u200b@anna",
    "\u2028/approve",
    "\x85/approve",
    "\x0b/approve",
    "\0",
    "\x1b[31m",
    "😀",
    review.END,
    "x" * 300,
]

FIELDS: dict[str, Callable[[str], tuple[Seen, Passport, str | None]]] = {
    "reason": lambda text: (seen(), OURS, text),
    "image": lambda text: (seen(), replace(OURS, images=(ImageRef("web", text),)), None),
    "image name": lambda text: (seen(), replace(OURS, images=(ImageRef(text, "x"),)), None),
    "old image": lambda text: (
        seen(current=replace(OLDER, images=(ImageRef("web", text),))),
        OURS,
        None,
    ),
    "chart": lambda text: (seen(), replace(OURS, chart=ChartRef(text, text)), None),
    "project": lambda text: (seen(), replace(OURS, source=Source(text, oid("c"))), None),
    "suite": lambda text: (
        seen(),
        OURS.with_evidence([EvidenceLine("itg", text, Result.PASSED, By.CLAIMED)]),
        None,
    ),
    "owner": lambda text: (seen(replace(TST, owners=(text,))), OURS, None),
    "directory": lambda text: (seen(directory=text), OURS, None),
}


def tokens(markdown: str) -> list[Token]:
    """What a reader of CommonMark with tables makes of it, inline parts unfolded."""
    flat: list[Token] = []
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        flat += [token, *(token.children or ())]
    return flat


def shape(markdown: str) -> list[str]:
    """Everything but the words: kinds of tokens, and the tags of HTML."""
    found = []
    for token in tokens(markdown):
        if token.type in {"html_inline", "html_block"}:
            found += re.findall(r"<[^>]*>", token.content)
        elif token.type != "text":
            found.append(token.type)
    return found


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_changes_words_and_nothing_else(field: str, text: str) -> None:
    make = FIELDS[field]
    plain, hostile = (
        review.description(world, shown, accepted=reason)
        for world, shown, reason in (make("word"), make(text))
    )
    assert shape(hostile) == shape(plain)
    lines = hostile.split("\n")
    assert len(lines) == len(plain.split("\n"))
    assert not [line for line in lines if line.startswith("/")]
    assert "@" not in hostile.replace("&#64;", "")
    assert hostile.count(review.END) == 1
    assert all(char.isprintable() or char == "\n" for char in hostile)


@MANY
@given(value=st.text())
def test_escaped_text_shows_every_printable_character_as_it_is(value: str) -> None:
    flat = "".join(char if char.isprintable() else " " for char in value)
    escaped = review.text(value)
    assert html.unescape(escaped) == html.unescape(flat) or html.unescape(escaped) == flat
    assert not set(escaped) & set("<>`|@*_[]!~$\\\n")
    assert not re.match(r"[-+/]", escaped)


@MANY
@given(value=st.text(alphabet="`~ \n\rab</details>"))
def test_a_code_block_cannot_be_left_by_what_is_in_it(value: str) -> None:
    around = f"before\n\n{review.fence(value, 'diff')}\n\nafter"
    kinds = [token.type for token in tokens(around) if token.type != "text"]
    assert kinds.count("fence") == 1
    assert kinds.count("paragraph_open") == 2


@pytest.mark.parametrize("char", ["\u202e", "\u2066", "\x1b", "\0"])
def test_a_code_block_shows_no_characters_that_hide_what_is_there(char: str) -> None:
    assert char not in review.fence(f"-image: {char}good\n+image: bad", "diff")


# --- what people wrote -------------------------------------------------------

OWN = review.description(seen(), TESTED, accepted=None)
NEXT = review.description(seen(), GROWN, accepted="agreed")


@pytest.mark.parametrize("theirs", ["", "\n", "\n\n- [x] done", "\r\nwindows", f"\n{review.END}\n"])
def test_what_people_add_below_our_text_stays(theirs: str) -> None:
    assert review.with_peoples_part(NEXT, OWN + theirs) == NEXT + theirs


@pytest.mark.parametrize("there", ["", "something else", "a text of another tool\n\nand more"])
def test_a_description_that_is_not_ours_is_replaced(there: str) -> None:
    assert review.with_peoples_part(OWN, there) == OWN


@MANY
@given(theirs=st.text())
def test_bringing_up_to_date_twice_changes_nothing_more(theirs: str) -> None:
    once = review.with_peoples_part(NEXT, OWN + theirs)
    assert once == NEXT + theirs
    assert review.with_peoples_part(NEXT, once) == once
    assert review.with_peoples_part(OWN, once) == OWN + theirs


def test_the_same_promotion_gives_the_same_text() -> None:
    again = review.description(seen(), TESTED, accepted=None)
    assert again == OWN


# --- comments ----------------------------------------------------------------

KEY = review.diff_key(oid("head"), oid("target"))


def resource(name: str = "web", text: str = "-a: 1\n+a: 2", **more: str) -> ResourceDiff:
    return ResourceDiff("Deployment", more.get("namespace", ""), name, Change.CHANGED, text)


def comment(*resources: ResourceDiff) -> str:
    return review.diff_comment(RenderedDiff(resources), key=KEY)


def test_a_rendered_diff_is_folded_by_resource() -> None:
    assert comment(resource(), resource("db", namespace="data")) + "\n" == (
        GOLDEN / "diff.md"
    ).read_text(encoding="utf-8")


def test_a_diff_says_where_nothing_changes() -> None:
    assert "(no resource changes)" in comment()
    assert "<details>" not in comment()


def test_a_diff_is_found_again_by_marker_and_by_what_it_was_made_of() -> None:
    lines = comment(resource()).split("\n")
    assert lines[:2] == [review.DIFF_MARKER, KEY]
    assert review.diff_key("a", "b") != review.diff_key("b", "a")


def test_a_diff_that_is_too_large_shows_whole_resources_and_counts_the_rest() -> None:
    large = [resource(f"web-{n}", "+line\n" * 2_000) for n in range(9)]
    text = comment(*large, resource("small"))
    assert len(text) <= 65_536
    assert text.count("<details>") == text.count("</details>") == text.count("```diff")
    shown = text.count("<details>")
    assert 0 < shown < 10
    assert f"More resources differ ({10 - shown})" in text
    assert "small" in text


def test_a_resource_that_fits_nowhere_is_counted() -> None:
    text = comment(resource(text="+" + "x" * review.BODY_LIMIT))
    assert "<details>" not in text
    assert "More resources differ (1)" in text


def test_a_thousand_small_resources_fit_the_limit_of_the_forges() -> None:
    assert len(comment(*(resource(f"w{n}", "+a") for n in range(2_000)))) <= 65_536


@pytest.mark.parametrize("text", HOSTILE)
def test_a_resource_cannot_write_into_the_comment(text: str) -> None:
    hostile = comment(resource(text, namespace=text), resource(text=f"+{text}"))
    assert shape(hostile) == shape(comment(resource("word", namespace="word"), resource()))


@pytest.mark.parametrize("why", ["no such value", "```\n/approve\n```", "</details> @anna"])
def test_why_nothing_can_be_rendered_is_shown_as_code(why: str) -> None:
    text = review.no_diff_comment(why, key=KEY)
    assert text.startswith(f"{review.DIFF_MARKER}\n{KEY}\n")
    assert [token.content for token in tokens(text) if token.type == "fence"] == [f"{why}\n"]


def test_why_nothing_can_be_rendered_fits_the_limit_of_the_forges() -> None:
    assert len(review.no_diff_comment("x" * 70_000, key=KEY)) <= 65_536


@pytest.mark.parametrize(
    ("link", "text"),
    [
        ("https://git.example.com/9", "a newer one is there: https://git.example.com/9"),
        ("", "a newer one is there"),
    ],
)
def test_a_closing_says_why_and_where_it_goes_on(link: str, text: str) -> None:
    expected = f"{review.NEWS_MARKER}\nClosed by gitops-ci: {text}"
    assert review.closing_comment("a newer one is there", link) == expected


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("fine", "fine"),
        ("  a\n b\tc ", "a b c"),
        ("x" * 140, "x" * 140),
        ("x" * 141, "x" * 139 + "…"),
        ("", ""),
    ],
)
def test_a_status_is_one_line_of_140_characters(said: str, shown: str) -> None:
    assert review.short(said) == shown


@pytest.mark.parametrize("sync", list(Sync))
def test_the_description_says_who_applies_it(sync: Sync) -> None:
    stage = Stage("tst", sync=sync)
    text = review.description(seen(stage), OURS, accepted=None)
    assert ("press Sync" in text) == (sync is Sync.MANUAL)
