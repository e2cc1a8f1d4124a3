"""Rendered manifests: keys, differences, and Secrets that keep their values to themselves."""

from __future__ import annotations

import base64
import difflib

import pytest

from gitops_ci import resources
from gitops_ci.errors import ConfigError
from gitops_ci.resources import Change, Key, parse

CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: web
data:
  a: "1"
"""


def secret(values: str, *, name: str = "db", kind: str = "data") -> str:
    return f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n{kind}: {values}\n"


def keys(text: str) -> list[Key]:
    return [resource.key for resource in parse(text).resources]


def changes(old: str | None, new: str) -> list[tuple[str, str, str]]:
    before = None if old is None else parse(old)
    found = resources.diff(before, parse(new)).resources
    return [(each.change, each.kind, each.name) for each in found]


# --- documents ---------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n---\nb: 2\n",
        "---\na: 1\n---\nb: 2\n---\n",
        "---\r\na: 1\r\n---\r\nb: 2\r\n",
        "--- # first\na: 1\n---   \n# nothing\n---\nb: 2\n",
        "a: 1\n...\n---\nb: 2",
        "---\n# Source: web/templates/a.yaml\na: 1\n---\n# Source: web/templates/b.yaml\nb: 2\n",
    ],
)
def test_documents_are_split_at_their_separators(text: str) -> None:
    documents = resources.split(text)
    assert [document.strip().splitlines()[-1] for document in documents] == ["a: 1", "b: 2"]


@pytest.mark.parametrize("text", ["", "---\n", "# only\n---\n\n# comments\n", "\n\n"])
def test_a_render_of_nothing_is_no_resource(text: str) -> None:
    assert parse(text).resources == ()


def test_a_separator_inside_of_a_block_is_text() -> None:
    text = CONFIG + "  b: |\n    ---\n    kind: Secret\n"
    assert keys(text) == [Key("ConfigMap", "", "web")]


# --- keys --------------------------------------------------------------------

ODD_BUT_EQUAL = [
    CONFIG,
    CONFIG.replace("kind: ConfigMap", 'kind: "ConfigMap"'),
    CONFIG.replace("kind: ConfigMap", "kind: 'ConfigMap'  # a comment"),
    CONFIG.replace("kind: ConfigMap", '"kind": ConfigMap'),
    CONFIG.replace("kind: ConfigMap", "kind: &k ConfigMap"),
    CONFIG.replace("kind: ConfigMap", "kind: !!str ConfigMap"),
    CONFIG.replace("kind: ConfigMap", "kind: >-\n  ConfigMap"),
    CONFIG.replace("kind: ConfigMap", "? kind\n: ConfigMap"),
    CONFIG.replace("\n", "\r\n"),
    CONFIG.replace("metadata:\n  name: web", "metadata: {name: web}"),
    CONFIG.replace("  name: web", "  labels:\n    name: other\n  name: web"),
    CONFIG.replace("  name: web", "  # name: other\n      \n  name: web"),
    CONFIG.replace("metadata:\n  name: web", "metadata:\n    name: web\n    namespace: ''"),
    "".join(f"  {line}\n" for line in CONFIG.splitlines()),
    '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}}',
]


@pytest.mark.parametrize("text", ODD_BUT_EQUAL)
def test_a_resource_is_known_however_it_is_written(text: str) -> None:
    assert keys(text) == [Key("ConfigMap", "", "web")]


NAMED = "metadata: {name: db}\ndata: {p: c2VjcmV0}\n"
BLOCK = "metadata:\n  name: db\ndata: {p: c2VjcmV0}\n"
DISGUISED_SECRETS = [
    # a quoted text whose lines look like the keys of something else
    '  apiVersion: v1\n  kind: Secret\n  metadata: {name: db}\n  x: "\nkind: ConfigMap\n"\n'
    "  data: {p: c2VjcmV0}\n",
    # other line breaks of YAML, here behind a comment
    "apiVersion: v1\n# a\rkind: Secret\n" + BLOCK,
    "apiVersion: v1\n# a\u2028kind: Secret\n" + BLOCK,
    "apiVersion: v1\nkind: ConfigMap # a\rkind: Secret\n" + BLOCK,
    # twice: the last one counts for Kubernetes
    "apiVersion: v1\nkind: ConfigMap\nkind: Secret\n" + BLOCK,
    # merged in
    "x: &x {kind: Secret}\napiVersion: v1\n<<: *x\n" + NAMED,
    "x: &x {kind: Secret}\napiVersion: v1\n<<: [{}, *x]\n" + NAMED,
    'apiVersion: v1\nkind: "Sec\\x72et"\n' + NAMED,
    "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: db}\n"
    "  data: {p: c2VjcmV0}\n",
    "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nData: {p: c2VjcmV0}\n",
]


@pytest.mark.parametrize("text", DISGUISED_SECRETS)
def test_a_secret_in_disguise_is_a_secret(text: str) -> None:
    difference = resources.diff(None, parse(text))
    assert [(each.kind, each.name) for each in difference.resources] == [("Secret", "db")]
    assert "c2VjcmV0" not in difference.resources[0].text


def test_the_group_is_told_apart_and_the_version_is_not() -> None:
    old = CONFIG.replace("apiVersion: v1", "apiVersion: example.com/v1beta1")
    new = CONFIG.replace("apiVersion: v1", "apiVersion: example.com/v1")
    assert changes(old, new) == [(Change.CHANGED, "ConfigMap", "web")]
    assert changes(CONFIG, new) == [
        (Change.REMOVED, "ConfigMap", "web"),
        (Change.ADDED, "ConfigMap", "web"),
    ]


def test_the_release_s_own_namespace_may_be_written_or_left_out() -> None:
    written = CONFIG.replace("  name: web", "  name: web\n  namespace: shop")
    (found,) = parse(written, namespace="shop").resources
    assert found.key == Key("ConfigMap", "", "web")
    assert keys(written) == [Key("ConfigMap", "shop", "web")]


def test_the_items_of_a_list_are_resources_of_their_own() -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMapList\nitems:\n"
        "- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {n: 'yes'}}\n"
        "- {apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: two}}\n"
    )
    assert keys(text) == [Key("ConfigMap", "", "a"), Key("ConfigMap", "two", "b")]
    assert changes(text, text.replace("'yes'", "'no'")) == [(Change.CHANGED, "ConfigMap", "a")]


def test_a_resource_rendered_twice_is_compared_in_order() -> None:
    other = CONFIG.replace('"1"', '"2"')
    assert changes(CONFIG + "---\n" + CONFIG, CONFIG + "---\n" + other) == [
        (Change.CHANGED, "ConfigMap", "web")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "just text\n",
        "- a\n- b\n",
        "kind: ConfigMap\n",
        "apiVersion: v1\nkind: ConfigMap\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  labels: {}\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [web]}\n",
        "a: b: c\n",
        "a: 1\r---\rb: 2\n",
    ],
)
def test_a_document_that_is_no_resource_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)


# --- differences -------------------------------------------------------------


def test_equal_renders_do_not_differ() -> None:
    assert resources.diff(parse(CONFIG), parse(CONFIG)) == resources.RenderedDiff()


def test_the_order_of_resources_does_not_matter() -> None:
    other = CONFIG.replace("name: web", "name: api")
    assert changes(f"{CONFIG}---\n{other}", f"{other}---\n{CONFIG}") == []


def test_everything_is_added_where_nothing_was() -> None:
    assert changes(None, CONFIG) == [(Change.ADDED, "ConfigMap", "web")]


def test_differences_are_sorted_by_kind_namespace_and_name() -> None:
    texts = [
        CONFIG.replace("ConfigMap", kind).replace("web", name)
        for kind, name in (("Service", "b"), ("ConfigMap", "z"), ("Service", "a"))
    ]
    assert [each[1:] for each in changes(None, "---\n".join(texts))] == [
        ("ConfigMap", "z"), ("Service", "a"), ("Service", "b"),
    ]  # fmt: skip


def test_the_text_is_a_unified_diff() -> None:
    new = CONFIG.replace('"1"', '"2"')
    (found,) = resources.diff(parse(CONFIG), parse(new)).resources
    expected = list(difflib.unified_diff(CONFIG.splitlines(), new.splitlines(), lineterm=""))[2:]
    assert found.text.splitlines() == expected
    assert '-  a: "1"' in expected
    assert '+  a: "2"' in expected


def test_a_removed_resource_shows_all_its_lines() -> None:
    (found,) = resources.diff(parse(CONFIG), parse("")).resources
    assert found.text.splitlines()[1:] == [f"-{line}" for line in CONFIG.splitlines()]


# --- secrets -----------------------------------------------------------------


def masked(old: str | None, new: str) -> str:
    (found,) = resources.diff(None if old is None else parse(old), parse(new)).resources
    return found.text


@pytest.mark.parametrize("kind", ["data", "stringData"])
def test_values_of_secrets_are_masked(kind: str) -> None:
    value = base64.b64encode(b"hunter2 hunter2").decode()
    text = masked(None, secret(f"{{password: {value}, user: YWRtaW4=}}", kind=kind))
    assert value not in text
    assert "YWRtaW4=" not in text
    assert "password: ++++++++" in text


def test_a_changed_value_shows_as_another_length_and_an_equal_one_does_not() -> None:
    text = masked(secret("{a: b25l, b: c2FtZQ==}"), secret("{a: dHdv, b: c2FtZQ==, c: bmV3}"))
    lines = text.splitlines()
    assert "-  a: ++++++++" in lines
    assert "+  a: ++++++++++++++++" in lines
    assert "   b: ++++++++" in lines
    assert "+  c: ++++++++" in lines


def test_the_length_of_a_value_does_not_show() -> None:
    assert masked(None, secret("{a: eA==}")) == masked(None, secret(f"{{a: {'eHh4' * 50}}}"))


@pytest.mark.parametrize("values", ["hunter2", "[hunter2]", "{a: {b: hunter2}}", "|\n  hunter2"])
def test_malformed_data_does_not_show_either(values: str) -> None:
    assert "hunter2" not in masked(None, secret(values))


def test_comments_and_last_applied_annotations_of_secrets_do_not_show() -> None:
    annotation = "kubectl.kubernetes.io/last-applied-configuration"
    new = secret("{a: eA==}  # hunter2").replace(
        "name: db", f'name: db\n  annotations:\n    {annotation}: \'{{"a": "hunter2"}}\''
    )
    assert "hunter2" not in masked(None, new)


def test_a_changed_comment_in_a_secret_is_no_difference() -> None:
    assert changes(secret("{a: eA==}"), secret("{a: eA==}  # now explained")) == []


def test_labels_of_a_secret_are_shown() -> None:
    new = secret("{a: eA==}").replace("name: db", "name: db\n  labels: {tier: gold}")
    assert "tier: gold" in masked(secret("{a: eA==}"), new)


def test_secrets_with_data_are_named() -> None:
    text = "---\n".join((
        secret("{a: eA==}", name="z"),
        secret("{a: x}", name="b", kind="stringData"),
        secret("{}", name="empty"),
        CONFIG,
        secret("{a: eA==}", name="sealed").replace("apiVersion: v1", "apiVersion: bitnami.com/v1"),
    ))
    assert resources.diff(parse(text), parse(text)).plain_secrets == ("b", "z")


def test_a_resource_keeps_its_text_out_of_representations() -> None:
    assert "c2VjcmV0" not in repr(parse(secret("{a: c2VjcmV0}")))
