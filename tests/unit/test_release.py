"""The release: its identity is git's own, its passport is read as it was written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitops_ci import names, passports, release
from gitops_ci.config import Application, ImageKeys, Stage
from gitops_ci.errors import ConfigError
from gitops_ci.passports import By, ChartRef, EvidenceLine, ImageRef, Passport, Result, Source
from gitops_ci.release import ImageParts, Material, Release, image_edits, parse_ref, tree_id
from tests.support.builder import commit, git, init
from tests.support.promotions import OURS, oid

DIGEST = "sha256:" + "9b" * 32
REF = f"registry.example.com/shop/web:2.1.0@{DIGEST}"
MANY = settings(max_examples=60, deadline=None, derandomize=True, database=None)
SOME = settings(max_examples=25, deadline=None, derandomize=True, database=None)


# --- the tree ----------------------------------------------------------------

NAMES = st.sampled_from(["a", "a.b", "a-b", "a0", "ab", "A", "b", "ä", "a b", "values", "x.yaml"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


def is_a_tree(files: Mapping[str, bytes]) -> bool:
    """No path is a file and a directory at once."""
    return not any(path.startswith(f"{other}/") for path in files for other in files)


FILES = st.dictionaries(PATHS, st.binary(max_size=20), min_size=1, max_size=12).filter(is_a_tree)


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return init(tmp_path_factory.mktemp("git") / "repo.git")


@SOME
@given(files=FILES)
@example(files={"a": b"", "a.b": b"", "a-b/x": b"", "a0/x": b""})
@example(files={"a/x": b"1", "a.b": b"2", "a-": b"3", "a0": b"4"})
def test_the_id_of_a_release_is_the_one_that_git_gives(repo: Path, files: dict[str, bytes]) -> None:
    name = f"b{oid(repr(sorted(files.items())))}"
    commit(repo, files, branch=name)
    assert tree_id(files) == git("rev-parse", f"refs/heads/{name}^{{tree}}", cwd=repo)


def test_nothing_at_all_is_the_empty_tree() -> None:
    assert tree_id({}) == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


@MANY
@given(files=FILES, data=st.data())
def test_the_id_does_not_depend_on_the_order_of_the_files(
    files: dict[str, bytes], data: st.DataObject
) -> None:
    shuffled = dict(data.draw(st.permutations(sorted(files.items()))))
    assert tree_id(shuffled) == tree_id(files)


def test_the_id_changes_with_every_path_and_every_byte() -> None:
    trees = [{"a": b"1"}, {"a": b"2"}, {"b": b"1"}, {"a/a": b"1"}, {"a": b"1", "b": b"1"}]
    assert len({tree_id(files) for files in trees}) == len(trees)


# --- image references --------------------------------------------------------


@pytest.mark.parametrize(
    ("ref", "parts"),
    [
        ("web", ("web", None, None)),
        ("web:1", ("web", "1", None)),
        (f"web@{DIGEST}", ("web", None, DIGEST)),
        (REF, ("registry.example.com/shop/web", "2.1.0", DIGEST)),
        ("localhost:5000/web:1", ("localhost:5000/web", "1", None)),
        ("Registry.Example.com/web", ("Registry.Example.com/web", None, None)),
        ("10.0.0.1:5000/a/b/c:x_y.z-1", ("10.0.0.1:5000/a/b/c", "x_y.z-1", None)),
        ("a/b__c/d--e/f.g/h_i:_", ("a/b__c/d--e/f.g/h_i", "_", None)),
        ("web:" + "t" * 128, ("web", "t" * 128, None)),
    ],
)
def test_an_image_reference_is_taken_apart(
    ref: str, parts: tuple[str, str | None, str | None]
) -> None:
    assert parse_ref(ref, source="x") == ImageParts(*parts)


@pytest.mark.parametrize(
    "ref",
    [
        "",
        " web",
        "web ",
        "web\n",
        "Web",
        "web:",
        "web@",
        "/web",
        "web/",
        "a//b",
        "web:1:2",
        "-web",
        "web-",
        "a..b",
        "https://registry.example.com/web",
        "user@registry/web",
        "web@sha256:1",
        "web@sha512:" + "0" * 128,
        f"web@{DIGEST.upper()}",
        f"web@{DIGEST}0",
        f"web@{DIGEST}@{DIGEST}",
        "web:" + "t" * 129,
        "web:-1",
        "web:.1",
        "registry:999999/web",
        "a/" * 300 + "web",
        "ẃeb",
        "web:1\u202e",
        "../web",
        "$(id)",
        "`id`",
        "web;id",
        "--help",
        "web:${TAG}",
        "web:1 # comment",
        "web:1\0",
    ],
)
def test_what_is_no_image_reference_is_refused_and_its_place_named(ref: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_ref(ref, source="image web")
    assert caught.value.message.startswith("image web: ")
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 160


@pytest.mark.parametrize(
    ("keys", "ref", "edits"),
    [
        ({"tag": "image.tag"}, REF, {"image.tag": f"2.1.0@{DIGEST}"}),
        ({"tag": "image.tag"}, "web:1", {"image.tag": "1"}),
        ({"tag": "t", "digest": "d"}, REF, {"t": "2.1.0", "d": DIGEST}),
        ({"digest": "d"}, REF, {"d": DIGEST}),
        ({"digest": "d"}, f"web@{DIGEST}", {"d": DIGEST}),
        (
            {"repository": "r", "tag": "t"},
            REF,
            {"r": "registry.example.com/shop/web", "t": f"2.1.0@{DIGEST}"},
        ),
        (
            {"repository": "r", "tag": "t", "digest": "d"},
            REF,
            {"r": "registry.example.com/shop/web", "t": "2.1.0", "d": DIGEST},
        ),
    ],
)
def test_the_parts_of_a_reference_are_written_to_the_keys_that_are_named(
    keys: dict[str, str], ref: str, edits: dict[str, str]
) -> None:
    assert image_edits(ImageKeys("web", **keys), parse_ref(ref, source="x")) == edits


@pytest.mark.parametrize(
    ("keys", "ref", "missing"),
    [
        ({"tag": "image.tag"}, f"web@{DIGEST}", "image.tag"),
        ({"tag": "image.tag"}, "web", "image.tag"),
        ({"digest": "image.digest"}, "web:1", "image.digest"),
        ({"tag": "t", "digest": "d"}, "web:1", "d"),
        ({"tag": "t", "digest": "d"}, f"web@{DIGEST}", "t"),
    ],
)
def test_a_part_that_the_reference_lacks_is_an_error_that_names_the_key(
    keys: dict[str, str], ref: str, missing: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        image_edits(ImageKeys("web", **keys), parse_ref(ref, source="x"))
    assert f"`{missing}`" in caught.value.message


# --- making a release --------------------------------------------------------

APP = Application("shop-web", images=(ImageKeys("web", tag="image.tag"),))
STAGES = (Stage("itg"), Stage("prod"))
MATERIAL = Material(
    chart={"Chart.yaml": b"name: web\n", "templates/x.yaml": b"kind: X\n"},
    values=b"# shop\nimage:\n  tag: none # set by CI\n",
    stage_values={"itg": b"{}\n", "prod": b"replicas: 3\n", "qa": b"{}\n"},
    values_path="deploy/values.yaml",
    stage_values_path="deploy/values",
)


def build(material: Material = MATERIAL, app: Application = APP, **more: Any) -> Release:
    usual: dict[str, Any] = {
        "chart": ChartRef("web", "1.8.2"),
        "images": {"web": REF},
        "version": "2.1.0",
        "source": Source("shop/web", oid("commit"), 118),
        "stages": STAGES,
        "allow_tags": False,
    }
    return release.build(app, material, **{**usual, **more})


def test_a_release_holds_chart_values_and_the_values_of_every_stage() -> None:
    made = build()
    assert made.files == {
        "chart/Chart.yaml": b"name: web\n",
        "chart/templates/x.yaml": b"kind: X\n",
        "values.yaml": f"# shop\nimage:\n  tag: 2.1.0@{DIGEST} # set by CI\n".encode(),
        "values/itg.yaml": b"{}\n",
        "values/prod.yaml": b"replicas: 3\n",
        "values/qa.yaml": b"{}\n",
    }


def test_a_release_is_known_by_its_content() -> None:
    made = build()
    assert made.passport.tree == tree_id(made.files)
    assert made.passport.id == f"shop-web-2.1.0-{made.passport.tree[:12]}"
    assert made.passport.version == "2.1.0"
    assert made.passport.images == (ImageRef("web", REF),)
    assert made.passport.evidence == ()
    assert passports.parse(passports.dump(made.passport), source="x") == made.passport


@pytest.mark.parametrize(
    "more",
    [
        {"version": "2.1.0-retry"},
        {"source": Source("shop/web", oid("another commit"), None)},
        {"chart": ChartRef("web", "9.9.9")},
        {"stages": STAGES[:1]},
    ],
)
def test_equal_content_is_the_same_tree_whatever_it_came_from(more: dict[str, Any]) -> None:
    assert build(**more).passport.tree == build().passport.tree


@pytest.mark.parametrize(
    "material",
    [
        replace(MATERIAL, chart={**MATERIAL.chart, "README.md": b""}),
        replace(MATERIAL, values=MATERIAL.values + b"x: 1\n"),
        replace(MATERIAL, stage_values={**MATERIAL.stage_values, "prod": b"replicas: 4\n"}),
        replace(MATERIAL, stage_values={**MATERIAL.stage_values, "dev": b"{}\n"}),
    ],
)
def test_other_content_is_another_release(material: Material) -> None:
    assert build(material).passport.id != build().passport.id


def test_every_stage_without_a_values_file_is_named_at_once() -> None:
    material = replace(MATERIAL, stage_values={"qa": b"{}\n"})
    with pytest.raises(ConfigError) as caught:
        build(material)
    assert [problem.file for problem in caught.value.problems] == [
        "deploy/values/itg.yaml",
        "deploy/values/prod.yaml",
    ]


def test_an_image_without_a_reference_is_an_error_that_names_option_and_variable() -> None:
    app = replace(APP, images=(*APP.images, ImageKeys("job-runner", tag="job.tag")))
    with pytest.raises(ConfigError) as caught:
        build(app=app)
    assert "job-runner" in caught.value.message
    assert "--image job-runner=" in (caught.value.hint or "")
    assert "GITOPS_IMAGE_JOB_RUNNER" in (caught.value.hint or "")


def test_an_image_without_a_digest_is_refused_unless_the_stage_allows_tags() -> None:
    tagged = {"web": "registry.example.com/shop/web:2.1.0"}
    with pytest.raises(ConfigError) as caught:
        build(images=tagged)
    assert "has no digest" in caught.value.message
    made = build(images=tagged, allow_tags=True)
    assert b"tag: 2.1.0 # set by CI" in made.files["values.yaml"]


def test_an_application_without_images_leaves_its_values_alone() -> None:
    made = build(app=Application("shop-web"), images={})
    assert made.files["values.yaml"] == MATERIAL.values


def test_a_key_that_the_values_lack_is_an_error_that_names_the_file() -> None:
    app = replace(APP, images=(ImageKeys("web", tag="image.tga"),))
    with pytest.raises(ConfigError) as caught:
        build(app=app)
    assert "deploy/values.yaml" in caught.value.message


def test_values_that_are_no_utf8_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        build(replace(MATERIAL, values=b"image: {tag: \xff}\n"))
    assert "deploy/values.yaml" in caught.value.message


@pytest.mark.parametrize("version", ["", "..", "1..2", "-1", "1 2", "a/b", "x" * 65, "1.lock"])
def test_a_version_that_git_or_a_shell_could_misread_is_refused(version: str) -> None:
    with pytest.raises(ConfigError, match="version"):
        build(version=version)


@pytest.mark.parametrize("project", ["shop web", "../x", "shop", "a\nb", "", "--help", "$(id)/x"])
def test_a_project_that_no_passport_could_name_is_refused(project: str) -> None:
    with pytest.raises(ConfigError):
        build(source=Source(project, oid("commit")))


# --- the passport ------------------------------------------------------------


def written(text: str) -> st.SearchStrategy[str]:
    return st.from_regex(re.compile(text, re.ASCII), fullmatch=True)


TRICKY = [
    "yes", "no", "on", "off", "y", "n", "null", "true", "false", "nan", "inf", "e", "x", "0", "00",
    "0x1f", "0b1", "0o7", "1e5", "1e-5", "12e45", "1.10", "0123", "1_000", "2026-01-02", "1.0.0",
]  # fmt: skip
LABELS = st.one_of(
    st.sampled_from([text for text in TRICKY if not names.app_fault(text)]),
    written(names.DNS_LABEL).filter(lambda text: not names.app_fault(text)),
)
STAGE_NAMES = LABELS.filter(lambda text: not names.stage_fault(text))
VERSIONS = st.one_of(
    st.sampled_from([text for text in TRICKY if not names.version_fault(text)]),
    written(names.VERSION).filter(lambda text: not names.version_fault(text)),
)
OIDS = st.one_of(
    st.text("0123456789abcdef", min_size=40, max_size=40),
    st.sampled_from(["0" * 40, "1" * 40, "1e" + "0" * 38, "12345e" + "6" * 34, "0" * 39 + "a"]),
)
SUITES = st.one_of(
    st.sampled_from(["a: b", "a -b", "x - y", "no", "1:30", "0123", "e2e/chrome", "a:b"]),
    written(r"[A-Za-z0-9]([A-Za-z0-9 ._:/-]{0,62}[A-Za-z0-9])?"),
)
LINES = st.builds(EvidenceLine, STAGE_NAMES, SUITES, st.sampled_from(Result), st.sampled_from(By))
REFS = st.one_of(st.sampled_from([REF, "web", "1", "0x1f", "web:1e5"]), written(r"[!-~]{1,60}"))
CHARTS = st.builds(
    ChartRef,
    st.one_of(st.sampled_from(TRICKY), written(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}")),
    st.one_of(st.sampled_from(TRICKY), written(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,9}")),
)
PROJECTS = written(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}){1,3}")


@st.composite
def any_passport(draw: st.DrawFn) -> Passport:
    app, version, tree = draw(LABELS), draw(VERSIONS), draw(OIDS)
    return Passport(
        app,
        names.release_id(app, version, tree),
        tree,
        tuple(draw(st.lists(st.builds(ImageRef, LABELS, REFS), max_size=2))),
        draw(CHARTS),
        Source(draw(PROJECTS), draw(OIDS), draw(st.one_of(st.none(), st.integers(1, 10**9)))),
        tuple(draw(st.lists(LINES, max_size=3))),
    )


@MANY
@given(passport=any_passport())
def test_a_passport_is_read_as_it_was_written(passport: Passport) -> None:
    text = passports.dump(passport)
    again = passports.parse(text, source="release.yaml")
    assert again == passport
    assert passports.dump(again) == text
    assert passports.parse(text.encode(), source="release.yaml") == passport


def read(text: str) -> Passport | None:
    try:
        return passports.parse(text, source="release.yaml")
    except ConfigError:
        return None


COMMENT = "# a line that people wrote\n"


@MANY
@given(passport=any_passport())
def test_a_passport_that_people_commented_is_read_the_same(passport: Passport) -> None:
    assert read(passports.dump(passport) + COMMENT) == passport


PIECES = st.sampled_from([
    "",
    " ",
    "\n",
    '"',
    "'",
    "a",
    "0",
    "-",
    ".",
    ":",
    ",",
    "{",
    "}",
    "#",
    "\\",
    "ä",
    "\t",
    "null",
])


@MANY
@given(passport=any_passport(), data=st.data())
def test_a_damaged_passport_is_judged_the_same_with_and_without_a_comment(
    passport: Passport, data: st.DataObject
) -> None:
    text = passports.dump(passport)
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 3))
    damaged = text[:at] + data.draw(PIECES) + text[at + cut :]
    if damaged.endswith("\n"):
        assert read(damaged) == read(damaged + COMMENT)


@SOME
@given(passport=any_passport())
def test_every_other_reader_of_yaml_reads_the_same_texts(passport: Passport) -> None:
    from ruamel.yaml import YAML

    for version in ((1, 1), (1, 2)):
        yaml = YAML(typ="safe", pure=True)
        yaml.version = version
        value = yaml.load(StringIO(passports.dump(passport)))
        assert (value["app"], value["id"], value["tree"]) == (
            passport.app,
            passport.id,
            passport.tree,
        )
        assert value["chart"] == {"name": passport.chart.name, "version": passport.chart.version}
        assert [(i["name"], i["ref"]) for i in value["images"]] == [
            (image.name, image.ref) for image in passport.images
        ]
        assert [line["suite"] for line in value["evidence"]] == [
            line.suite for line in passport.evidence
        ]


FOREIGN = st.one_of(
    st.text(max_size=30),
    st.sampled_from([
        "a/b}\nevidence: []",
        "a/b, commit: x",
        '"',
        "a/b # c",
        "😀/x",
        "\u2028",
        "\0",
    ]),
)


@MANY
@given(text=FOREIGN)
def test_foreign_text_in_a_passport_is_refused_or_read_as_it_is(text: str) -> None:
    passport = replace(OURS, source=replace(OURS.source, project=text))
    try:
        again = passports.parse(passports.dump(passport), source="release.yaml")
    except ConfigError as error:
        assert "$.source.project" in error.message or "U+" in error.message  # noqa: PT017 - either
    else:
        assert again == passport


def test_a_passport_looks_like_this() -> None:
    passport = OURS.with_evidence([EvidenceLine("itg", "e2e: chrome", Result.PASSED, By.VERIFIED)])
    assert passports.dump(passport) == (
        "apiVersion: gitops-ci/v1\n"
        "kind: Release\n"
        "app: shop-web\n"
        f"id: {OURS.id}\n"
        f"tree: {OURS.tree}\n"
        "images:\n"
        f'  - {{name: web, ref: "registry.example.com/shop/web:2.1.0@{DIGEST}"}}\n'
        'chart: {name: web, version: "1.8.2"}\n'
        f"source: {{project: shop/web, commit: {OURS.source.commit}, merge_request: 118}}\n"
        "evidence:\n"
        '  - {stage: itg, suite: "e2e: chrome", result: passed, by: verified}\n'
    )


OTHER = oid("another tree")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("id", f"shop-web-2.1.0-{OTHER[:12]}"),
        ("id", f"cart-2.1.0-{OURS.tree[:12]}"),
        ("id", f"shop-web-{OURS.tree[:12]}"),
        ("id", f"shop-web-2..1-{OURS.tree[:12]}"),
        ("id", f"shop-web--{OURS.tree[:12]}"),
        ("id", f"shop-web-{'1' * 65}-{OURS.tree[:12]}"),
        ("id", "../../x"),
        ("tree", OTHER),
        ("tree", OURS.tree[:39]),
        ("tree", OURS.tree.upper()),
        ("app", "all"),
        ("app", "Shop-Web"),
        ("app", "shop-web-2"),
    ],
)
def test_an_id_that_is_not_app_version_and_tree_is_refused(key: str, text: str) -> None:
    lines = passports.dump(OURS).splitlines()
    changed = [f"{key}: {text}" if line.startswith(f"{key}: ") else line for line in lines]
    with pytest.raises(ConfigError) as caught:
        passports.parse("\n".join(changed), source="release.yaml")
    assert caught.value.message.startswith("release.yaml:")


@pytest.mark.parametrize("line", [0, 1, 2, 3, 4, 7, 8])
def test_a_passport_that_lacks_a_line_is_refused(line: int) -> None:
    lines = passports.dump(OURS).splitlines()
    with pytest.raises(ConfigError):
        passports.parse("\n".join(lines[:line] + lines[line + 1 :]), source="release.yaml")


# --- evidence ----------------------------------------------------------------

CLAIMED = EvidenceLine("itg", "smoke", Result.PASSED, By.CLAIMED)
FACT = replace(CLAIMED, by=By.VERIFIED)


def test_a_fact_replaces_a_claim_in_its_place() -> None:
    other = EvidenceLine("itg", "lint", Result.PASSED, By.CLAIMED)
    passport = OURS.with_evidence([CLAIMED, other])
    assert passport.with_evidence([FACT]).evidence == (FACT, other)


def test_the_same_suite_of_another_stage_is_a_line_of_its_own() -> None:
    other = replace(CLAIMED, stage="tst")
    assert OURS.with_evidence([CLAIMED]).with_evidence([other]).evidence == (CLAIMED, other)


def test_adding_what_is_there_changes_nothing() -> None:
    passport = OURS.with_evidence([FACT])
    assert passport.with_evidence([FACT]) == passport.with_evidence([]) == passport


def test_a_claim_never_replaces_a_fact() -> None:
    assert replace(OURS, evidence=(FACT, CLAIMED)).with_evidence([]).evidence == (FACT,)
    assert OURS.with_evidence([FACT]).with_evidence([CLAIMED]).evidence == (FACT,)
