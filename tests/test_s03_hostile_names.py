"""S3: a hostile name in any field is refused, names the field, runs nothing and writes nothing.

Every name goes through every function that takes one; every option of `promote` is given hostile
names on the real command line, against a real local forge.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from gitops_ci import cli, config, holds, names, release
from gitops_ci.commands import promote
from gitops_ci.errors import ConfigError
from gitops_ci.forge.local import LocalForge
from tests.support.builder import commit, git, init, isolated_env

# --- the names ---------------------------------------------------------------

PATHS = (
    "..", ".", "../x", "../../etc/passwd", "/", "/etc/passwd", "//x/y", "a/../b", "a/./b", "a//b",
    "a/..", "./a", "a/", "/a", "~", "~root", "~/x", "a\\b", "..\\x", "C:\\x", "C:x", "\\\\x\\y",
    "file:///etc/passwd", "/dev/stdin", "/proc/self/environ", "a/.git/config",
)  # fmt: skip
GIT = (
    ".git", ".GIT", ".Git", ".git.", ".git ", ".git/hooks/post-checkout", "GIT~1", ".git::$DATA",
    ".gitmodules", ".gitattributes", "a.lock/b", "a@{1}", "@{u}", "@", "HEAD^", "HEAD~1", "a^{}",
    "a..b/", "...", ":/x", ":(top)x", "a:b", "a?", "a*", "[a]", "refs/heads/main", "+a", "^a",
    "a.", ".a", "a..", "refs/heads/a:refs/heads/main", "a\u200c.git",
)  # fmt: skip
NTFS = ("a::$DATA", "a:stream", "a::$INDEX_ALLOCATION", "con:", "aux.", "nul ", "COM1:", "a ", "a.")
OPTIONS = (
    "-", "--", "-x", "--help", "--upload-pack=marker", "--upload-pack=touch x", "--exec=marker",
    "-c core.sshCommand=marker", "--output=x", "--config=x", "-o x", "--receive-pack=marker",
    "ext::marker", "--end-of-options", "-umarker", "--",
)  # fmt: skip
SHELL = (
    "`marker`", "$(marker)", "${marker}", "$marker", "a;marker", "a&marker", "a&&marker", "a|marker",
    "a||marker", "a>marker", "a<marker", "a\nmarker", "a\rmarker", "a\tb", "a b", " a", "a'b", 'a"b',
    "a\\", "$IFS", "zzz\";touch${IFS}marker;#", "!marker", "a#b", "{a,b}", "a=b", "%COMSPEC%", "*",
    "$((1+1))", "<(marker)", "a%",
)  # fmt: skip
TEMPLATES = (
    "${{marker}}", "${{ github.token }}", "{{ .Values.x }}", "{stage}", "{app}", "{0}", "%s", "%n",
    "#{marker}", "<%= marker %>", "$[[ inputs.x ]]", "{{7*7}}", "@@marker@@", "<script>", "&amp;",
    "::set-output name=a::b", "::stop-commands::x", "a%0ab", "a%0Ab", "a%00b", "%2e%2e%2f", "a%2fb",
)  # fmt: skip
UNICODE = (
    "\u202ea", "a\u202e", "\u2066a\u2069", "\u200ba", "a\u200d", "\ufeffa", "a\u00ad", "\u2028a",
    "a\u2029b", "a\x85b", "\x1b[31ma", "a\x07", "a\x08b", "a\x7f", "\u0430", "sh\u043ep", "\uff41",
    "\u0131", "\u017f", "\u212a", "\u00e4", "a\u0308", "\u00df", "\ufb01", "\u0663", "\u2160", "😀",
    "👩\u200d💻", "\U000e0041", "\ud800", "a\udcff", "\ufffe", "\u3002", "a\u2215b", "a\u2024b", "\xa0",
)  # fmt: skip
YAML = (
    "a: b", "a #b", "- a", "&a", "*a", "!!str a", "a\n---\nb", "? a", "{a: b}", "[a, b]", "<<: *a",
    "| a", "> a", "'", '"', "a,b", "a\nkind: Hold",
)  # fmt: skip
LONG = ("a-" * 150, "." * 300, "../" * 100, "-" * 300, "a/" * 150, "\u00e4" * 300, "a." * 150)
WRAPPED = tuple(
    template.format(bad)
    for template, bad in product(
        ("{}shop", "shop{}", "sh{}op", "{}"),
        ("\0", "\n", "\r\n", "/../", "\\", " ", "\t", "`", "$", "|", "<", ">", ";", "&", "*", "?", "~",
         "^", ":", "@{", "%", "\u202e", "é", "💥", "'", '"', "(", "{"),
    )
)  # fmt: skip
HOSTILE = tuple(
    dict.fromkeys(
        (*PATHS, *GIT, *NTFS, *OPTIONS, *SHELL, *TEMPLATES, *UNICODE, *YAML, *LONG, *WRAPPED)
    )
)


def typed(text: str) -> bool:
    """Whether a shell could pass it as an argument."""
    try:
        return "\0" not in text and bool(os.fsencode(text))
    except UnicodeEncodeError:
        return False


TYPED = tuple(filter(typed, HOSTILE))
KINDS = (PATHS, GIT, NTFS, OPTIONS, SHELL, TEMPLATES, UNICODE, YAML, LONG)
FEW = tuple(name for kind in KINDS for name in tuple(filter(typed, kind))[::5])


def test_s03_there_are_more_than_300_of_them() -> None:
    assert len(HOSTILE) > 300
    assert len(TYPED) > 280


# --- the functions that take names -------------------------------------------


@pytest.mark.parametrize("fault", [names.app_fault, names.stage_fault])
def test_s03_none_of_them_is_a_label(fault: Callable[[str], str | None]) -> None:
    assert [name for name in HOSTILE if not fault(name)] == []


def test_s03_none_of_them_is_a_version() -> None:
    assert [name for name in HOSTILE if not names.version_fault(name)] == []


def test_s03_a_suite_is_at_worst_a_plain_word() -> None:
    passed = [name for name in HOSTILE if not names.suite_fault(name)]
    assert passed == [name for name in passed if set(name) <= SUITE_LETTERS and name[0].isalnum()]
    assert len(passed) < 12


SUITE_LETTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._:/-")
TREE = "4be1c07d2a91"


@pytest.mark.parametrize(
    "template",
    [
        "{}",
        "promote/{}/shop/shop-1-" + TREE,
        "promote/itg/{}/shop-1-" + TREE,
        "promote/itg/{0}/{0}-1-" + TREE,
        "promote/itg/shop/shop-{}-" + TREE,
        "promote/itg/shop/shop-1-{}",
        "promote/itg/shop/shop-1-" + TREE + "{}",
        "promote/itg/shop/shop-1-" + TREE + "-r{}",
    ],
)
def test_s03_none_of_them_makes_a_branch_of_ours(template: str) -> None:
    branches = (template.replace("{0}", name).replace("{}", name) for name in HOSTILE)
    assert [branch for branch in branches if names.parse_branch(branch)] == []


def test_s03_a_tag_of_any_kind_becomes_a_harmless_version() -> None:
    made = {names.version_from_tag(name) for name in HOSTILE} - {""}
    assert [version for version in made if names.version_fault(version)] == []


def test_s03_none_of_them_is_a_commit_or_leaves_the_alphabet_of_variables() -> None:
    assert not any(map(names.is_commit, HOSTILE))
    assert all(names.image_variable(name).replace("_", "A").isalnum() for name in HOSTILE)
    assert all(names.image_variable(name).isascii() for name in HOSTILE)


def refusal(call: Callable[[], object]) -> str:
    """The message of the refusal; printable, so that it cannot write into a log."""
    with pytest.raises(ConfigError) as caught:
        call()
    assert all(line.isprintable() for line in caught.value.message.split("\n"))
    assert len(caught.value.message) < 1_000
    return caught.value.message


@pytest.mark.parametrize("template", ["{}", "registry.example.com/{}:1", "web:{}", "web@{}"])
def test_s03_none_of_them_is_an_image(template: str) -> None:
    for name in set(HOSTILE) - IMAGES:
        said = refusal(lambda: release.parse_ref(template.format_map({"": name}) if False else
                       template.replace("{}", name), source="image web"))
        assert said.startswith("image web: ")


IMAGES: set[str] = set()


@pytest.mark.parametrize("template", ["{}=passed", "smoke={}"])
def test_s03_a_claim_about_any_of_them_is_refused(template: str) -> None:
    for name in HOSTILE:
        if template.startswith("{}") and not names.suite_fault(name):
            continue
        assert "`--suite`" in refusal(lambda: promote.claims((template.replace("{}", name),)))
