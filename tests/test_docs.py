"""The documentation tells the truth: links lead somewhere, commands parse, the tutorial works."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess  # noqa: TID251 - the reader's own shell
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from gitops_ci import config, holds, passports
from gitops_ci.cli import cli
from gitops_ci.errors import Exit
from gitops_ci.promotion import Word
from scripts import reference

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
HOW_TO = DOCS / "how-to"
TUTORIAL = DOCS / "tutorial" / "first-promotion.md"

FENCE = re.compile(r"^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\((?P<target>[^()\s]+)\)")
HEADING = re.compile(r"^#{1,6} (?P<text>.+)$", re.MULTILINE)
CALL = re.compile(r"(?:^|[\s(\"'])gitops-ci (?P<words>[a-z-][^\n]*)", re.MULTILINE)


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def each_page() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", PAGES, ids=named)


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def fences(page: Path, *languages: str) -> list[str]:
    found = FENCE.finditer(text_of(page))
    return [each["text"] for each in found if each["language"] in languages]


def prose(page: Path) -> str:
    return FENCE.sub("", text_of(page))


# --- links -------------------------------------------------------------------


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors that a forge gives to a page's headings."""
    seen: dict[str, int] = {}
    found = set()
    for heading in HEADING.finditer(prose(page)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading["text"])
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")
        number = seen.get(slug, 0)
        seen[slug] = number + 1
        found.add(f"{slug}-{number}" if number else slug)
    return frozenset(found)


def links(page: Path) -> Iterator[str]:
    yield from (each["target"] for each in LINK.finditer(INLINE.sub("`code`", prose(page))))


@each_page()
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    broken = []
    for target in links(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        inside = there.is_relative_to(ROOT) and there.exists()
        if not inside or (anchor and anchor not in anchors(there)):
            broken.append(target)
    assert broken == []


def test_every_page_can_be_reached_from_the_index() -> None:
    reached, todo = set(), [DOCS / "index.md"]
    while todo:
        page = todo.pop()
        if page in reached:
            continue
        reached.add(page)
        paths = (target.partition("#")[0] for target in links(page) if ":" not in target)
        todo += [there for path in paths if (there := (page.parent / path).resolve()) in PAGES]
    assert [named(page) for page in PAGES if page not in reached] == []


# --- commands ----------------------------------------------------------------


def calls(page: Path) -> Iterator[str]:
    """Every call of the program that a page shows, without what a shell does around it."""
    code = [*fences(page, "bash", "sh", "yaml", "console"), *INLINE.findall(prose(page))]
    for text in code:
        for call in CALL.finditer(text.replace("\\\n", " ")):
            yield re.split(r"\s*(?:[|;>&)]|\s#|\d>)", call["words"], maxsplit=1)[0]


def parse(words: str) -> None:
    """Raises a `click.UsageError` where the program would not understand the words."""
    command: click.Command = cli
    arguments = shlex.split(words)
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        context = click.Context(command)
        found = command.get_command(context, arguments[0])
        if found is None:
            raise click.UsageError(f"no command {arguments[0]}")
        command, arguments = found, arguments[1:]
    if arguments and arguments not in (["--help"], ["--version"]):
        command.make_context(words, arguments)


@each_page()
def test_every_call_of_the_program_is_one_that_it_understands(page: Path) -> None:
    wrong = []
    for words in calls(page):
        try:
            parse(words)
        except click.ClickException as error:
            wrong.append(f"gitops-ci {words}: {error.format_message()}")
    assert wrong == []


@pytest.mark.parametrize(
    "words", ["promote --stag itg", "promot", "init apps", "wait --timeout soon", "schema --kind X"]
)
def test_a_call_with_a_mistake_is_found(words: str) -> None:
    with pytest.raises(click.UsageError):
        parse(words)


def test_calls_are_found_in_code_and_in_sentences(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Run `gitops-ci status` now.\n\n```bash\nX=1 gitops-ci wait --stage itg || echo no\n```\n"
    )
    assert list(calls(page)) == ["wait --stage itg", "status"]


# --- files that pages show ---------------------------------------------------

READERS = {
    "Application": config.parse_application,
    "OpsRepository": config.parse_ops,
    "Hold": holds.parse_hold,
    "Release": passports.parse,
}


@each_page()
def test_every_file_of_ours_that_a_page_shows_is_a_sound_one(page: Path) -> None:
    for text in fences(page, "yaml"):
        kind = re.search(r"^kind: (\w+)$", text, re.MULTILINE)
        if "apiVersion: gitops-ci/v1" in text and kind:
            READERS[kind[1]](text, source="holds/example.yaml")


# --- pages that repeat the program ------------------------------------------


def test_the_generated_pages_are_what_the_program_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["--check"]) == 0, capsys.readouterr().err


def outcomes() -> set[tuple[str, int]]:
    """Every pair of word and exit code that a plan can end in, from the program's own text."""
    source = (ROOT / "gitops_ci" / "promotion.py").read_text(encoding="utf-8")
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Outcome":
            word, code = (arg.attr for arg in node.args[:2] if isinstance(arg, ast.Attribute))
            found.add((Word[word].value, Exit[code].value))
    return found


def test_the_promotion_table_has_every_outcome_and_no_other() -> None:
    rows = re.findall(
        r"\| `([a-z]+)` \| ([0-9]+) \|$", text_of(DOCS / "reference" / "promotion-table.md"), re.M
    )
    assert {(word, int(code)) for word, code in rows} == outcomes()


def named_tests(page: Path) -> Iterator[tuple[str, str]]:
    yield from re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text_of(page))


@each_page()
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    missing = [
        f"{file}::{name}"
        for file, name in named_tests(page)
        if not (ROOT / file).exists()
        or f"def {name}(" not in (ROOT / file).read_text(encoding="utf-8")
    ]
    assert missing == []


@pytest.mark.parametrize("page", sorted((DOCS / "adr").glob("*.md")), ids=named)
def test_a_decision_is_recorded_in_five_sections(page: Path) -> None:
    titles = re.findall(r"^## (.+)$", text_of(page), re.MULTILINE)
    assert titles == ["Status", "Context", "Decision", "Alternatives", "Consequences"]


def test_the_readme_is_short() -> None:
    assert len(text_of(ROOT / "README.md").splitlines()) < 120


# --- the tutorial ------------------------------------------------------------


def steps(page: Path) -> list[tuple[str, str]]:
    """A page's commands, each with the output that the page promises."""
    blocks = [(each["language"], each["text"]) for each in FENCE.finditer(text_of(page))]
    following = [*blocks[1:], ("", "")]
    return [
        (text, after if shown == "text" else "")
        for (language, text), (shown, after) in zip(blocks, following, strict=True)
        if language == "bash"
    ]


MARK = "=== step "


def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    script = "".join(f"echo '{MARK}{n}'\n{text}" for n, (text, _) in enumerate(steps(TUTORIAL)))
    done = _shell(script, tmp_path)
    assert done.returncode == 0, done.stdout
    said = re.split(rf"^{MARK}\d+\n", done.stdout, flags=re.MULTILINE)[1:]
    for (command, promised), found in zip(steps(TUTORIAL), said, strict=True):
        assert _fits(promised, found), f"{command}\npromises\n{promised}\nand says\n{found}"


def test_the_pages_that_prepare_work_one_after_the_other(tmp_path: Path) -> None:
    *made, (last, promised) = steps(HOW_TO / "set-up-a-local-forge.md")
    pages = {"ops": "prepare-an-ops-repository.md", "web": "prepare-a-dev-repository.md"}
    parts = [text for text, _ in made]
    for folder, page in pages.items():
        parts += [f"cd {folder}\n", *(text for text, _ in steps(HOW_TO / page)), "cd ..\n"]
    done = _shell("".join([*parts, f"cd web\necho '{MARK}0'\n{last}"]), tmp_path)
    assert done.returncode == 0, done.stdout
    assert "dry run: `shop-web-" in done.stdout
    assert _fits(promised, done.stdout.partition(f"{MARK}0\n")[2]), done.stdout


def _shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ("bash", "-euo", "pipefail", "-c", script),
        cwd=folder,
        env=os.environ | {"PATH": _path(folder), "XDG_CACHE_HOME": str(folder / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )


def _path(folder: Path) -> str:
    """`python` and `gitops-ci` are those of these tests."""
    programs = folder / "bin"
    programs.mkdir()
    for name, words in {"python": "", "gitops-ci": " -m gitops_ci"}.items():
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)}{words} "$@"\n')
        program.chmod(0o755)
    return f"{programs}{os.pathsep}{os.environ['PATH']}"


def _fits(promised: str, found: str) -> bool:
    """Line by line; `…` stands for anything."""
    wanted = [".*".join(map(re.escape, line.split("…"))) for line in promised.splitlines()]
    lines = found.splitlines()
    return len(wanted) == len(lines) and all(map(re.fullmatch, wanted, lines))


@pytest.mark.parametrize(
    ("promised", "found"), [("a\n", "b\n"), ("a\n", "a\nb\n"), ("a …\n", "a\n"), ("", "a\n")]
)
def test_a_broken_promise_is_found(promised: str, found: str) -> None:
    assert not _fits(promised, found)
