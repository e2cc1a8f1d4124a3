"""The schemas: valid, closed, described, and saying the same as the data classes."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gitops_ci import schemas, yamldoc
from gitops_ci.config import (
    Application,
    Commits,
    Evidence,
    ImageKeys,
    Layout,
    Merge,
    OpsRepository,
    Render,
    Stage,
    Sync,
)
from gitops_ci.errors import ConfigError
from gitops_ci.holds import Hold

HEAD = {"apiVersion", "kind"}


def schema(kind: str) -> Any:
    return json.loads(schemas.schema_text(kind))


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every subschema."""
    yield node
    for below in [
        *node.get("properties", {}).values(),
        *([node["items"]] if "items" in node else []),
    ]:
        yield from nodes(below)


ALL = [(kind, node) for kind in schemas.KINDS for node in nodes(schema(kind))]


@pytest.mark.parametrize("kind", schemas.KINDS)
def test_a_schema_is_valid_and_names_itself(kind: str) -> None:
    found = schema(kind)
    Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["$id"] == f"https://gitops-ci.dev/schemas/v1/{kind}.schema.json"
    assert found["title"] == found["properties"]["kind"]["const"]


@pytest.mark.parametrize("kind", schemas.KINDS)
def test_a_schema_refers_to_nothing_outside(kind: str) -> None:
    assert "$ref" not in schemas.schema_text(kind)


def test_every_schema_node_is_described_and_every_mapping_is_closed() -> None:
    for kind, node in ALL:
        assert node["description"].endswith("."), (kind, node)
        if node.get("type") == "object":
            assert node["additionalProperties"] is False, (kind, node)


def test_every_pattern_has_words_for_its_message() -> None:
    for kind, node in ALL:
        assert "pattern" not in node or node["title"], (kind, node)


@pytest.mark.parametrize("part", ["a", "-", "/", " ", "a/", "../", ".", "a."])
def test_no_pattern_takes_long_on_any_text(part: str) -> None:
    hostile = part * 20_000 + "\n<"
    began = time.perf_counter()
    for _, node in ALL:
        if "pattern" in node:
            re.search(node["pattern"], hostile)
    assert time.perf_counter() - began < 2


def keys(node: Any) -> set[str]:
    return {key.replace("-", "_") for key in node["properties"]} - HEAD


def fields(kind: Any) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def test_the_fields_of_an_application_are_the_keys_of_its_file() -> None:
    found = schema("application")
    assert keys(found) - {"ops"} == fields(Application) - {"ops_project"}
    assert keys(found["properties"]["ops"]) == {"project"}
    image = found["properties"]["images"]["items"]
    assert keys(image["properties"]["values"]) == fields(ImageKeys) - {"name"}
    assert keys(image) == {"name", "values"}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ((), OpsRepository),
        (("stages", "items"), Stage),
        (("layout",), Layout),
        (("commits",), Commits),
        (("render",), Render),
    ],
)
def test_the_fields_of_an_ops_repository_are_the_keys_of_its_file(
    path: tuple[str, ...], kind: type
) -> None:
    node = schema("ops-repository")
    for step in path:
        node = node["items"] if step == "items" else node["properties"][step]
    assert keys(node) == fields(kind)


def test_the_fields_of_a_hold_are_the_keys_of_its_file() -> None:
    assert keys(schema("hold")) == fields(Hold) - {"name"}


@pytest.mark.parametrize(
    ("key", "kind"),
    [("merge", Merge), ("sync", Sync), ("secrets-sync", Sync), ("evidence", Evidence)],
)
def test_the_words_of_a_choice_are_those_of_the_schema(key: str, kind: Any) -> None:
    stage = schema("ops-repository")["properties"]["stages"]["items"]
    assert stage["properties"][key]["enum"] == [word.value for word in kind]


DEFAULTS = [
    (Application, schema("application")),
    (Stage, schema("ops-repository")["properties"]["stages"]["items"]),
    (Layout, schema("ops-repository")["properties"]["layout"]),
    (Commits, schema("ops-repository")["properties"]["commits"]),
    (Render, schema("ops-repository")["properties"]["render"]),
]


@pytest.mark.parametrize(
    ("kind", "node"), DEFAULTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_the_defaults_that_a_schema_tells_are_the_true_ones(kind: Any, node: Any) -> None:
    true = {field.name: field.default for field in dataclasses.fields(kind)}
    told = {
        key.replace("-", "_"): below["default"]
        for key, below in node["properties"].items()
        if "default" in below
    }
    assert told
    for name, value in told.items():
        assert true[name] == (tuple(value) if isinstance(value, list) else value)


PASSPORT = """\
apiVersion: gitops-ci/v1
kind: Release
app: shop-web
id: shop-web-2.14.0-4be1c07d2a91
tree: 4be1c07d2a914be1c07d2a914be1c07d2a914be1
images: [{name: web, ref: "registry.example.com/shop/web:2.14.0"}]
chart: {name: web, version: 1.8.2}
source: {project: shop/web, commit: 4be1c07d2a914be1c07d2a914be1c07d2a914be1, merge_request: 118}
evidence:
  - {stage: itg, suite: integration-tests, result: passed, by: verified}
"""


def test_a_passport_fits_its_schema() -> None:
    schemas.validate("release", yamldoc.load(PASSPORT, source="release.yaml"))


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        (
            "result: passed",
            "result: pased",
            "10: $.evidence[0].result: expected one of `passed`, `failed`, found `pased`, "
            "did you mean `passed`?",
        ),
        (
            "merge_request: 118",
            "merge-request: 118",
            "8: $.source.merge-request: unknown key `merge-request`, did you mean `merge_request`?",
        ),
        (
            "merge_request: 118",
            "merge_request: 0",
            "8: $.source.merge_request: expected 1 at the least, found 0",
        ),
        (
            "tree: 4be1c07d2a91",
            "tree: 4BE1C07D2A91",
            "5: $.tree: expected 40 hexadecimal digits in lower case, "
            "found `4BE1C07D2A914be1c07d2a914be1c07d2a914be1`",
        ),
        (
            "version: 1.8.2",
            "version: 1.8",
            "7: $.chart.version: expected text, found a number (quote it)",
        ),
        ("app: shop-web\n", "", "1: $: `app` is missing"),
    ],
    ids=["result", "kebab", "zero", "capitals", "number", "missing"],
)
def test_a_wrong_passport_is_refused_in_our_words(old: str, new: str, finding: str) -> None:
    text = PASSPORT.replace(old, new)
    with pytest.raises(ConfigError) as caught:
        schemas.validate("release", yamldoc.load(text, source="release.yaml"))
    assert [str(problem) for problem in caught.value.problems] == [f"release.yaml:{finding}"]


def test_very_many_findings_are_cut_short() -> None:
    keys = "".join(f"key{n}: 1\n" for n in range(300))
    with pytest.raises(ConfigError) as caught:
        schemas.validate("release", yamldoc.load(PASSPORT + keys, source="release.yaml"))
    assert len(caught.value.problems) == yamldoc.MAX_FINDINGS + 1
    assert caught.value.problems[-1].message == "and 250 findings more"
