"""S1: whatever a configuration file holds, it is read or refused with a place, and quickly.

500 cases by default, 10 000 with `GITOPS_CI_FULL=1`.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_ci import config, holds, schemas, yamldoc, yamledit
from gitops_ci.errors import ConfigError

TOTAL = 10_000 if os.environ.get("GITOPS_CI_FULL") == "1" else 500
CASES = Path(__file__).parent / "cases" / "config"
SOUND, WRONG = (sorted((CASES / kind).glob("*.yaml")) for kind in ("positive", "negative"))
FINDING = re.compile(r"holds/f\.yaml:[1-9][0-9]*: \$[^\n]*: [^\n]+")
TOKENS = (
    b"&a ", b"*a", b"<<: ", b"!!str ", b"!<", b"| ", b">-\n", b"---\n", b"...\n", b"%YAML 1.1\n",
    b"? ", b": ", b"- ", b"[", b"]", b"{", b"}", b",", b"'", b'"', b"#", b"\t", b"\r", b"\n", b"\0",
    b"\xff", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\\x", b"\\U00110000", b'"\\uD800"', b"1e999",
    b"0123", b"9" * 40, b"../", b".git", b"$(id)", b"${{ x }}", b"{app}", b"all", b"~", b"yes",
)  # fmt: skip


def release(raw: str | bytes, *, source: str) -> None:
    schemas.validate("release", yamldoc.load(raw, source=source))


def values(raw: str | bytes, *, source: str) -> None:
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "surrogateescape")
    paths = yamledit.scalar_paths(text, source=source)
    yamledit.set_scalars(text, dict.fromkeys(paths[:20], "1.10"), source=source)


def missing(raw: str | bytes, *, source: str) -> None:
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "surrogateescape")
    yamledit.set_scalars(text, {"name": "x", "stages.0.nmae": "y"}, source=source)


READERS: dict[str, Callable[..., object]] = {
    "application": config.parse_application,
    "ops": config.parse_ops,
    "hold": holds.parse_hold,
    "release": release,
    "values": values,
    "missing": missing,
}


def check(raw: str | bytes) -> int:
    """Feed every reader; how many of them refused."""
    return sum(refused(read, raw) for read in READERS.values())


def refused(read: Callable[..., object], raw: str | bytes) -> bool:
    began = time.perf_counter()
    error: ConfigError | None = None
    try:
        read(raw, source="holds/f.yaml")
    except ConfigError as caught:
        error = caught
    assert time.perf_counter() - began < 2
    if error is None:
        return False
    assert error.exit_code == 2
    assert error.problems
    assert all(FINDING.fullmatch(line) for line in str(error).split("\n")), str(error)
    return True


def mutated(raw: bytes, dice: random.Random) -> bytes:
    """`raw` with one to four bytes or pieces changed, doubled, moved or cut out."""
    for _ in range(dice.randint(1, 4)):
        at = dice.randint(0, len(raw))
        to = min(len(raw), at + dice.choice((0, 0, 1, 1, 3, 20)))
        piece = dice.choice((
            b"",
            bytes([dice.randrange(256)]),
            dice.choice(TOKENS),
            dice.choice(TOKENS) * dice.choice((2, 50, 400)),
            raw[at : at + 30] * 2,
        ))
        raw = raw[:at] + piece + raw[to:]
    return raw


@pytest.mark.parametrize("part", range(10))
def test_s01_damaged_example_files_are_read_or_refused_with_a_place(part: int) -> None:
    dice = random.Random(part)
    cases = TOTAL // 10 * 7 // 10
    refusals = 0
    for _ in range(cases):
        example = dice.choice(dice.choice((SOUND, WRONG)))
        refusals += check(mutated(example.read_bytes(), dice))
    assert 0 < cases * len(READERS) - refusals < refusals  # most are refused, not all


KEYS = sorted({
    key
    for kind in schemas.KINDS
    for key in re.findall(r'"([a-zA-Z_-]+)": \{', schemas.schema_text(kind))
})
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["gitops-ci/v1", "Application", "OpsRepository", "Hold", "Release", "auto"]),
)
TREES = st.recursive(
    SCALARS,
    lambda below: st.one_of(
        st.lists(below, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=8)), below, max_size=6),
    ),
    max_leaves=20,
)
FEW = settings(
    max_examples=TOTAL * 15 // 100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@FEW
@given(tree=TREES, kind=st.sampled_from(["Application", "OpsRepository", "Hold", "Release"]))
def test_s01_any_tree_of_values_is_read_or_refused_with_a_place(tree: object, kind: str) -> None:
    head = {"apiVersion": "gitops-ci/v1", "kind": kind}
    check(json.dumps({**head, **tree} if isinstance(tree, dict) else tree, ensure_ascii=False))


@FEW
@given(raw=st.one_of(st.text(), st.binary()))
def test_s01_any_text_and_any_bytes_are_read_or_refused_with_a_place(raw: str | bytes) -> None:
    check(raw)
