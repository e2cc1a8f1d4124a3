"""Reading YAML: what the values are, where they stand, what is refused."""

from __future__ import annotations

import subprocess  # noqa: TID251 - a fresh interpreter shows what an import loads
import sys
import time
from contextlib import suppress

import pytest

from gitops_ci import yamldoc, yamltree
from gitops_ci.errors import ConfigError


def findings(text: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        yamldoc.load(text, source="f.yaml")
    assert caught.value.hint
    assert all(problem.line >= 1 for problem in caught.value.problems)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x", "x"),
        ("yes", "yes"),
        ("off", "off"),
        ("1:30", "1:30"),
        ("2026-01-02", "2026-01-02"),
        ("1_000", "1_000"),
        ("1.2.3", "1.2.3"),
        ("true", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("~", None),
        ("null", None),
        ("", None),
        ("-12", -12),
        ("0x1f", 31),
        ("0o17", 15),
        ("999999999999999999", 999999999999999999),
        ("2.5", 2.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("'1'", "1"),
        ('"~"', "~"),
        ('"\\x41\\u00e4"', "Aä"),
        ("|\n  one\n  two\n", "one\ntwo\n"),
        ("[1, {a: b}]", [1, {"a": "b"}]),
    ],
)
def test_scalars_follow_the_core_schema_and_everything_else_stays_text(
    text: str, value: object
) -> None:
    found = yamldoc.load(f"key: {text}", source="f.yaml").value["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\ufeff"])
def test_a_file_without_content_is_nothing(text: str) -> None:
    assert yamldoc.load(text, source="f.yaml").value is None


def test_a_byte_order_mark_and_windows_line_ends_are_fine() -> None:
    document = yamldoc.load(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", source="f.yaml")
    assert document.value == {"a": 1, "b": 2}
    assert document.line(("b",)) == 2


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 2),
        (("a",), 2),
        (("a", "b"), 3),
        (("a", "b", 1), 5),
        (("a", "b", 1, "missing"), 5),
        (("c",), 6),
        (("missing", "x", 3), 2),
    ],
)
def test_a_node_knows_its_line_and_a_missing_one_that_of_its_ancestor(
    path: yamltree.Path, line: int
) -> None:
    document = yamldoc.load("# c\na:\n  b:\n  - x\n  - y\nc: 1\n", source="f.yaml")
    assert document.line(path) == line


def test_a_problem_names_file_line_and_path() -> None:
    document = yamldoc.load("a:\n  - 'b c': 1\n", source="f.yaml")
    problem = document.problem(("a", 0, "b c"), "is odd")
    assert str(problem) == 'f.yaml:2: $.a[0]["b c"]: is odd'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a: \xff", "f.yaml:1: $: is not UTF-8"),
        (b"a: 1\nb: \xe4\n", "f.yaml:2: $: is not UTF-8"),
        ("a: 1\nb: \0\n", "f.yaml:2: $: contains the forbidden character U+0000"),
        ("a: \x1b[0m", "f.yaml:1: $: contains the forbidden character U+001B"),
        ("a: \x85b", "f.yaml:1: $: contains the forbidden character U+0085"),
        ("a: b\u2028c", "f.yaml:1: $: contains the forbidden character U+2028"),
        ("a: \ufeff", "f.yaml:1: $: contains the forbidden character U+FEFF"),
        ("a: \udc80", "f.yaml:1: $: contains the forbidden character U+DC80"),
        ('a: "\\0"', "f.yaml:1: $.a: contains the forbidden character U+0000"),
        ('a: "\\ud83d\\ude00"', "f.yaml:1: $.a: contains the forbidden character U+D83D"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2: $: a second document begins"),
        ("%YAML 1.1\n---\na: yes\n", "f.yaml:2: $: `%` directives are not read"),
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3: $: key `a` stands in line 1 already"),
        ("{a: 1, 'a': 2}", "f.yaml:1: $: key `a` stands in line 1 already"),
        ("1: a", "f.yaml:1: $: key `1` is not text"),
        ("null: a", "f.yaml:1: $: key `null` is not text"),
        ("[a]: b", "f.yaml:1: $: a key is not text"),
        ("? {a: b}\n: c\n", "f.yaml:1: $: a key is not text"),
        ("a: &x 1", "f.yaml:1: $.a: anchors are not read"),
        ("a: *x", "f.yaml:1: $.a: aliases are not read"),
        ("a:\n  <<: {b: 1}\n", "f.yaml:2: $.a: merge keys are not read"),
        ("a: !!str 1", "f.yaml:1: $.a: tags are not read"),
        ("a: ! 1", "f.yaml:1: $.a: tags are not read"),
        ("a: !!python/object/apply:os.system [id]", "f.yaml:1: $.a: tags are not read"),
        ("a: 0123456", "f.yaml:1: $.a: `0123456` is a number with leading zeros"),
        ("a: 1000000000000000000", "f.yaml:1: $.a: `1000000000000000000` has more than 18 digits"),
        ("a: 1e1234", "f.yaml:1: $.a: `1e1234` is beyond what a number can hold"),
        ("a: -.inf", "f.yaml:1: $.a: `-.inf` is not a finite number"),
        ("a: .NaN", "f.yaml:1: $.a: `.NaN` is not a finite number"),
    ],
)
def test_what_a_reader_could_misread_is_refused_with_its_place(
    text: str | bytes, expected: str
) -> None:
    assert findings(text) == [expected]


def test_all_findings_come_at_once() -> None:
    assert findings("a: &x 1\nb: *x\nb: 2\n3: c\n") == [
        "f.yaml:1: $.a: anchors are not read",
        "f.yaml:2: $.b: aliases are not read",
        "f.yaml:3: $: key `b` stands in line 2 already",
        "f.yaml:4: $: key `3` is not text",
    ]


def test_of_very_many_findings_the_first_ones_are_told() -> None:
    told = findings("".join(f"{n}: x\n" for n in range(500)))
    assert len(told) == yamldoc.MAX_FINDINGS + 1
    assert told[-1].endswith("and 450 findings more")


@pytest.mark.parametrize(
    "text",
    [
        "a: [1",
        "a: 'x",
        "a: b: c",
        "\ta: 1",
        "a: 1\n b: 2",
        "]",
        "a: @x",
        'a: "\\UFFFFFFFF"',
        "- a\nb: c",
    ],
)
def test_broken_syntax_is_a_finding_with_a_line(text: str) -> None:
    (told,) = findings(text)
    assert told.startswith("f.yaml:")
    assert ": $: is not valid YAML: " in told


def test_hostile_text_in_a_message_is_one_printable_line() -> None:
    (told,) = findings('"\\e[31m\\r\\n`x`": 1\n"\\e[31m\\r\\n`x`": 2\n')[-1:]
    assert told.isprintable()


@pytest.mark.parametrize(
    "text",
    ["[" * 41, "{a: " * 41, "- " * 41 + "x", "".join(" " * n + "a:\n" for n in range(42))],
    ids=["lists", "mappings", "dashes", "lines"],
)
def test_depth_is_bounded(text: str) -> None:
    (told,) = findings(text)
    assert told.endswith("is nested deeper than 40 levels")


def test_forty_levels_are_fine() -> None:
    assert yamldoc.load("[" * 40 + "]" * 40, source="f.yaml").value


def test_size_is_bounded() -> None:
    assert findings("# " + "ä" * (yamltree.MAX_BYTES // 2)) == [
        "f.yaml:1: $: is larger than 1024 KiB"
    ]


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(n)}: &{chr(n)} [*{chr(n - 1)}, *{chr(n - 1)}]\n" for n in range(98, 120)
)
MERGE_BOMB = "a: &a {k: v}\n" + "".join(
    f"{chr(n)}: &{chr(n)} {{<<: [{', '.join([f'*{chr(n - 1)}'] * 8)}]}}\n" for n in range(98, 112)
)


@pytest.mark.parametrize(
    "text",
    [
        "[" * yamltree.MAX_BYTES,
        "{" * yamltree.MAX_BYTES,
        "? " * (yamltree.MAX_BYTES // 2),
        "-\n" * (yamltree.MAX_BYTES // 2),
        "!" * yamltree.MAX_BYTES,
        "&" + "a" * (yamltree.MAX_BYTES - 1),
        "'" * yamltree.MAX_BYTES,
        "a: " + "9" * (yamltree.MAX_BYTES - 3),
        "a: " + "9" * (yamltree.MAX_BYTES - 4) + ".",
        BOMB,
        MERGE_BOMB,
    ],
    ids=["[", "{", "?", "-", "!", "&", "'", "int", "float", "aliases", "merges"],
)
def test_no_text_takes_long(text: str) -> None:
    began = time.perf_counter()
    with suppress(ConfigError):
        yamldoc.load(text, source="f.yaml")
    assert time.perf_counter() - began < 5


def test_importing_loads_neither_the_parser_nor_the_validator() -> None:
    code = (
        "import sys, gitops_ci.config, gitops_ci.holds, gitops_ci.yamledit;"
        "heavy = {'ruamel', 'jsonschema', 'referencing'};"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
