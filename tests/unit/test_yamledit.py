"""Setting scalars in YAML that people own: one scalar, one line, nothing else."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gitops_ci import yamledit
from gitops_ci.errors import ConfigError

VALUES = """\
# owned by people
image:
  repository: registry.example.com/shop/web   # where from
  tag: "1.2.3"  # set by CI
  pullPolicy: 'IfNotPresent'

jobs:
  - name: migrate
    image: {tag: flow}
  - name: report
    image:
        tag: 7c1e9d2
list:
- a
-   b
below:
  key:
    # a comment between
    value
"""


def set_one(text: str, key: str, value: str) -> str:
    return yamledit.set_scalars(text, {key: value}, source="values.yaml")


def refused(text: str, key: str, value: str = "new") -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        set_one(text, key, value)
    assert caught.value.problems
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("key", "value", "old", "new"),
    [
        ("image.tag", "2.0.0", 'tag: "1.2.3"  #', 'tag: "2.0.0"  #'),
        (
            "image.repository",
            "example.org/x",
            "registry.example.com/shop/web   #",
            "example.org/x   #",
        ),
        ("image.pullPolicy", "Always", "'IfNotPresent'", "'Always'"),
        ("image.pullPolicy", "it's", "'IfNotPresent'", "'it''s'"),
        ("image.tag", 'a"b\\c', '"1.2.3"', '"a\\"b\\\\c"'),
        ("jobs.1.image.tag", "8d2f0e3", "7c1e9d2", "8d2f0e3"),
        ("jobs.0.name", "migrate-db", "name: migrate\n", "name: migrate-db\n"),
        ("list.0", "- x", "- a\n", '- "- x"\n'),
        ("list.1", "c", "-   b\n", "-   c\n"),
        ("below.key", "other", "    value\n", "    other\n"),
        ("image.tag", "", '"1.2.3"', '""'),
        ("image.tag", "1.2.3", '"1.2.3"', '"1.2.3"'),
    ],
)
def test_only_the_scalar_changes(key: str, value: str, old: str, new: str) -> None:
    assert VALUES.count(old) == 1
    assert set_one(VALUES, key, value) == VALUES.replace(old, new)


def test_several_scalars_change_in_one_go_whatever_their_order() -> None:
    edits = {"list.1": "c", "image.tag": "9", "jobs.1.image.tag": "d"}
    expected = VALUES.replace("-   b", "-   c").replace('"1.2.3"', '"9"').replace("7c1e9d2", "d")
    assert yamledit.set_scalars(VALUES, edits, source="values.yaml") == expected
    assert yamledit.set_scalars(VALUES, {}, source="values.yaml") == VALUES


@pytest.mark.parametrize(
    "text",
    [
        "v1.2.3",
        "1.2.3",
        "7c1e9d2",
        "2.14.0-rc.1",
        "latest",
        "registry:5000/a/b:1.0@sha256:0abc",
        "a+b",
        "none",
    ],
)
def test_plain_text_stays_plain(text: str) -> None:
    assert set_one("tag: old # c\n", "tag", text) == f"tag: {text} # c\n"


AMBIGUOUS = """
    1.10 1 0 12e4567 1e3 1E+3 0123456 1_000 0x1f 0o17 0b11 1:30 190:20:30 2026-01-02 1. 1_0.5
    2026-01-02T03:04:05Z true false True yes no on off y N YES null Null NULL ~ *x &x !x - ? :
    a: #a @a `a` %a [a] {a} | > ' " .5 +1 -1 .inf .nan = << --- ... _1 a#b,c ,a ä 😀
"""
SPACED = ("", " a", "a ", "a b", "a: b", "a #b", "- a", "\\", "a\tb", "'a'", '"a"', "1 ")


@pytest.mark.parametrize("text", [*AMBIGUOUS.split(), *SPACED])
def test_what_another_parser_could_misread_is_quoted_and_reads_as_that_text(text: str) -> None:
    changed = set_one("tag: old # c\n", "tag", text)
    assert changed.startswith('tag: "')
    assert changed.endswith('" # c\n')
    for version in ("1.1", "1.2"):
        reader = YAML(typ="safe", pure=True)
        reader.version = version
        assert reader.load(changed) == {"tag": text}


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("\ufeffa: b\n", "\ufeffa: new\n"),
        ("a: b\r\nc: d\r\n", "a: new\r\nc: d\r\n"),
        ("x: 😀😀 # 😀\r\na: 'b' # 😀\n", "x: 😀😀 # 😀\r\na: 'new' # 😀\n"),
        ("a: b", "a: new"),
        ("a:   b   ", "a:   new   "),
        ("? x\n: y\na: b\n", "? x\n: y\na: new\n"),
        ("---\na: b\n...\n", "---\na: new\n...\n"),
        ("'a': b\n", "'a': new\n"),
        ("a:\r\n  b\r\n", "a:\r\n  new\r\n"),
        ("x: &x {k: v}\ny: *x\na: b\n", "x: &x {k: v}\ny: *x\na: new\n"),
        ("x: |\n  a: b\na: b\n", "x: |\n  a: b\na: new\n"),
        ("x: 1\nx: 2\na: b\n", "x: 1\nx: 2\na: new\n"),
        ("x:\n  <<: {a: 1}\na: b\n", "x:\n  <<: {a: 1}\na: new\n"),
        ("a: 1.10\n", "a: new\n"),
        ("a: 0777\n", "a: new\n"),
        ("a: 99999999999999999999\n", "a: new\n"),
        ("\n\n# c\n\na: b\n\n\n# end", "\n\n# c\n\na: new\n\n\n# end"),
    ],
)
def test_everything_around_the_scalar_stays_byte_for_byte(text: str, new: str) -> None:
    assert set_one(text, "a", "new") == new


@pytest.mark.parametrize(
    ("text", "key", "finding"),
    [
        ("a: 1\n", "b", "1: $: key `b` is missing"),
        ("x: 1\na:\n  b: 1\n", "a.c", "3: $.a: key `c` is missing"),
        ("a:\n- b\n", "a.1", "2: $.a: key `1` is missing"),
        ("a:\n- b\n", "a.00", "2: $.a: key `00` is missing"),
        ("a:\n- b\n", "a.-1", "2: $.a: key `-1` is missing"),
        ("a:\n- b\n", "a.x", "2: $.a: key `x` is missing"),
        ("a: 1\n", "", "1: $: key `` is missing"),
        ("a:\nb: 1\n", "a", "1: $.a: has no value"),
        ("a: &x 1\n", "a", "1: $.a: has an anchor: other keys may take its value"),
        ("b: &x 1\na: *x\n", "a", "2: $.a: is an alias: setting it would change another key"),
        ("a: !!str 1\n", "a", "1: $.a: has a tag"),
        ("a: &x\n  b: 1\n", "a.b", "1: $.a: has an anchor: other keys may take its value"),
        ("b: &x {c: 1}\na: *x\n", "a.c",
         "2: $.a: is an alias: setting it would change another key"),
        ("a:\n  b: 1\n", "a", "1: $.a: expected a scalar, found a mapping"),
        ("a:\n- 1\n", "a", "1: $.a: expected a scalar, found a list"),
        ("a: {}\n", "a", "1: $.a: expected a scalar, found a mapping"),
        ("a: 1\n", "a.b", "1: $.a: expected a mapping or a list, found a scalar"),
        ("a: |\n  b\n", "a", "1: $.a: is a block scalar"),
        ("a: >-\n  b\n", "a", "1: $.a: is a block scalar"),
        ("a: b\n  c\n", "a", "1: $.a: goes over several lines"),
        ("a: 'b\n  c'\n", "a", "1: $.a: goes over several lines"),
        ('a: "b\n  c"\n', "a", "1: $.a: goes over several lines"),
        ("a: {b: 1}\n", "a.b", "1: $.a: is written in flow style (`{…}` or `[…]`)"),
        ("a: [1]\n", "a.0", "1: $.a: is written in flow style (`{…}` or `[…]`)"),
        ('{"a": 1}', "a", "1: $: is written in flow style (`{…}` or `[…]`)"),
        ("a: 1\nb: 2\na: 3\n", "a", "3: $.a: key `a` stands here 2 times"),
        ("b: &x {a: 1}\nc:\n  <<: *x\n  d: 1\n", "c.a",
         "3: $.c.a: key `a` is missing, or known only through a merge key"),
        ("a: 1\n---\na: 2\n", "a", "2: $: a second document begins"),
        ("a: [1\n", "a", "2: $: is not valid YAML: …"),
        ("? a\n: b\n", "a", "2: $.a: cannot be set without touching its neighbours"),
        ("1: a\n", "1", "1: $[\"1\"]: cannot be set without touching its neighbours"),
        ("", "a", "1: $: expected a mapping or a list, found a scalar"),
    ],
)  # fmt: skip
def test_what_cannot_be_set_alone_is_refused_with_its_place(
    text: str, key: str, finding: str
) -> None:
    told = str(refused(text, key).problems[0])
    wanted = f"values.yaml:{finding}"
    assert told.startswith(wanted[:-1]) if wanted.endswith("…") else told == wanted


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "\0", "\x1b", "\ud800", "a\u2028b"])
def test_a_value_that_is_not_a_line_of_text_is_refused(value: str) -> None:
    refused("a: b\n", "a", value)


def test_all_keys_that_cannot_be_set_are_told_at_once() -> None:
    edits = {"image.tga": "1", "image.tag": "2", "jobs.0.image.tag": "3", "list": "4"}
    with pytest.raises(ConfigError) as caught:
        yamledit.set_scalars(VALUES, edits, source="values.yaml")
    assert [problem.path for problem in caught.value.problems] == [
        "$.image",
        "$.jobs[0].image",
        "$.list",
    ]


def test_a_missing_key_lists_the_likely_ones() -> None:
    hint = refused(VALUES, "web.image.tga").hint or ""
    assert "`image.tag`" in hint
    assert "`image.repository`" in hint
    assert "`jobs.1.image.tag`" in hint
    assert "pullPolicy" not in hint


def test_a_missing_key_of_a_file_without_keys_has_a_hint_too() -> None:
    assert refused("[]\n", "a").hint
    assert refused("a: {}\n", "b").hint == "add the key to the file"


def test_the_paths_that_can_be_set_are_listed_in_the_order_of_the_file() -> None:
    paths = yamledit.scalar_paths(VALUES, source="values.yaml")
    assert paths == (
        "image.repository",
        "image.tag",
        "image.pullPolicy",
        "jobs.0.name",
        "jobs.1.name",
        "jobs.1.image.tag",
        "list.0",
        "list.1",
        "below.key",
    )
    for path in paths:
        assert set_one(VALUES, path, "changed") != VALUES


# --- properties --------------------------------------------------------------

WORD = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True)
PRINTABLE = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x1F6FF, exclude_categories=("C", "Z"))
)
TREE = st.recursive(
    st.tuples(st.sampled_from(["", "'", '"']), WORD),
    lambda below: st.one_of(
        st.dictionaries(WORD, below, min_size=1, max_size=4),
        st.lists(below, min_size=1, max_size=3),
    ),
    max_leaves=12,
)
FILE = st.dictionaries(WORD, TREE, min_size=1, max_size=4)


def rendered(tree: Any, *, indent: int, comment: str) -> list[str]:
    """A block-style file, every scalar on a line of its own."""
    pad = " " * indent
    if isinstance(tree, tuple):
        quote, word = tree
        return [f" {quote}{word}{quote}{comment}"]
    lines = [""]
    pairs = tree.items() if isinstance(tree, dict) else (("", item) for item in tree)
    for key, item in pairs:
        head, *rest = rendered(item, indent=indent + 2, comment=comment)
        lines += [f"{pad}{key}:{head}" if isinstance(tree, dict) else f"{pad}-{head}", *rest]
    return lines


@settings(deadline=None, derandomize=True, database=None)
@given(
    tree=FILE,
    value=PRINTABLE,
    data=st.data(),
    newline=st.sampled_from(["\n", "\r\n"]),
    comment=st.sampled_from(["", "  # ä 😀"]),
    bom=st.booleans(),
)
def test_exactly_one_line_changes_and_all_else_stays(
    tree: object, value: str, data: st.DataObject, newline: str, comment: str, bom: bool
) -> None:
    lines = rendered(tree, indent=0, comment=comment)[1:]
    text = "\ufeff" * bom + newline.join(lines) + newline
    paths = yamledit.scalar_paths(text, source="f")
    key = data.draw(st.sampled_from(paths))
    changed = set_one(text, key, value)
    before, after = text.split("\n"), changed.split("\n")
    assert len(before) == len(after)
    assert sum(old != new for old, new in zip(before, after, strict=True)) <= 1
    assert changed.startswith("\ufeff") == bom
    expected = plain(text)
    place(expected, key.split("."), value)
    assert plain(changed) == expected


def plain(text: str) -> object:
    return YAML(typ="safe", pure=True).load(text.removeprefix("\ufeff"))


def place(tree: Any, path: list[str], value: str) -> None:
    *inner, last = path
    for step in inner:
        tree = tree[int(step) if isinstance(tree, list) else step]
    tree[int(last) if isinstance(tree, list) else last] = value


def test_setting_a_key_of_a_thousand_lines_costs_at_most_half_a_round_trip() -> None:
    text = "".join(
        f"svc{n}:\n  image:\n    repository: registry.example.com/app{n}\n    tag: '1.2.{n}'\n"
        f"  replicas: 3\n  # a comment\n  env:\n    - name: A\n      value: b\n    - x\n"
        for n in range(100)
    )

    def round_trip() -> None:
        yaml = YAML()
        found = yaml.load(text)
        found["svc7"]["image"]["tag"] = "9"
        yaml.dump(found, io.StringIO())

    def ours() -> None:
        set_one(text, "svc7.image.tag", "9")

    assert best(ours) <= best(round_trip) / 2


def best(action: Callable[[], None], rounds: int = 5) -> float:
    """The shortest of several processor times in seconds."""
    times = []
    for _ in range(rounds):
        began = time.process_time()
        action()
        times.append(time.process_time() - began)
    return min(times)
