"""S3: a hostile name in any field is refused, names the field, runs nothing and writes nothing.

Every name goes through every function that takes one; every option of `promote` is given hostile
names on the real command line, against a real local forge: all of them with `GITOPS_CI_FULL=1`,
else a part of them where a name costs a look at the forge.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from gitops_ci import cli, config, holds, names, passports, release
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
    "`marker`", "$(marker)", "${marker}", "$marker", "a;marker", "a&marker", "a&&marker",
    "a|marker", "a||marker", "a>marker", "a<marker", "a\nmarker", "a\rmarker", "a\tb", "a b", " a",
    "a'b", 'a"b', "a\\", "$IFS", "zzz\";touch${IFS}marker;#", "!marker", "a#b", "{a,b}", "a=b",
    "%COMSPEC%", "*", "$((1+1))", "<(marker)", "a%",
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
    "👩\u200d💻", "\U000e0041", "\ud800", "a\udcff", "\ufffe", "\u3002", "a\u2215b", "a\u2024b",
    "\xa0",
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
        ("\0", "\n", "\r\n", "/../", "\\", " ", "\t", "`", "$", "|", "<", ">", ";", "&", "*", "?",
         "~", "^", ":", "@{", "%", "\u202e", "é", "💥", "'", '"', "(", "{"),
    )
)  # fmt: skip
HOSTILE = tuple(
    dict.fromkeys((
        *PATHS,
        *GIT,
        *NTFS,
        *OPTIONS,
        *SHELL,
        *TEMPLATES,
        *UNICODE,
        *YAML,
        *LONG,
        *WRAPPED,
    ))
)


def typed(text: str) -> bool:
    """Whether a shell could pass it as an argument."""
    try:
        return "\0" not in text and bool(os.fsencode(text))
    except UnicodeEncodeError:
        return False


TYPED = tuple(filter(typed, HOSTILE))
DOTTED = {"a.", "a..", "aux."}  # nothing wrong with them in the path of a project
FULL = os.environ.get("GITOPS_CI_FULL") == "1"


def some(first: int, *, one_of: int = 24) -> tuple[str, ...]:
    """A part of the names, another one for each `first`."""
    return TYPED if FULL else TYPED[first % one_of :: one_of]


def test_s03_there_are_more_than_300_of_them() -> None:
    assert len(HOSTILE) > 300
    assert len(TYPED) > 280


# --- the functions that take names -------------------------------------------


@pytest.mark.parametrize("fault", [names.app_fault, names.stage_fault])
def test_s03_none_of_them_is_a_label(fault: Callable[[str], str | None]) -> None:
    assert [name for name in HOSTILE if not fault(name)] == []


def test_s03_none_of_them_is_a_version() -> None:
    assert [name for name in HOSTILE if not names.version_fault(name)] == []


PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._:/-")
TREE = "4be1c07d2a91"


def test_s03_a_suite_is_at_worst_plain_words() -> None:
    passed = [name for name in HOSTILE if not names.suite_fault(name)]
    assert len(passed) < 25
    assert all(set(name) <= PLAIN and name[0].isalnum() for name in passed)


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


def refusal(call: Callable[..., object], *arguments: object, **named: object) -> str | None:
    """The message of a refusal, which cannot write into a log; None where there is none."""
    try:
        call(*arguments, **named)
    except ConfigError as error:
        said = error.message
    else:
        return None
    assert all(line.isprintable() for line in said.split("\n"))
    assert len(said) < 1_000
    return said


@pytest.mark.parametrize("template", ["{}", "registry.example.com/{}:1", "web:{}", "web@{}"])
def test_s03_an_image_is_at_worst_plain_words(template: str) -> None:
    passed = []
    for name in HOSTILE:
        said = refusal(release.parse_ref, template.replace("{}", name), source="image web")
        if said:
            assert re.fullmatch("image web: `.*` is not an image reference", said)
        else:
            passed.append(name)
    assert len(passed) < 6
    assert all(set(name) <= PLAIN and name[0].isalnum() for name in passed)


@pytest.mark.parametrize("template", ["{}=passed", "smoke={}"])
def test_s03_a_claim_about_any_of_them_is_refused(template: str) -> None:
    for name in HOSTILE:
        if template.startswith("{}") and not names.suite_fault(name):
            continue
        said = refusal(promote.claims, (template.replace("{}", name),))
        assert said
        assert "`--suite " in said


# --- the fields of files -----------------------------------------------------

APP: dict[str, Any] = {
    "apiVersion": "gitops-ci/v1",
    "kind": "Application",
    "name": "shop",
    "ops": {"project": "platform/shop-ops"},
    "images": [{"name": "web", "values": {"tag": "image.tag"}}],
}
OPS: dict[str, Any] = {
    "apiVersion": "gitops-ci/v1",
    "kind": "OpsRepository",
    "stages": [{"name": "itg"}, {"name": "tst", "after": ["itg"]}],
    "layout": {"application": "{app}-{stage}", "namespace": "{app}"},
}
HOLD: dict[str, Any] = {
    "apiVersion": "gitops-ci/v1",
    "kind": "Hold",
    "reason": "wrong prices",
    "owner": "jane",
    "release": f"shop-1-{TREE}",
    "app": "shop",
    "stage": "itg",
}
PASSPORT: dict[str, Any] = {
    "apiVersion": "gitops-ci/v1",
    "kind": "Release",
    "app": "shop",
    "id": f"shop-1-{TREE}",
    "tree": TREE + "0" * 28,
    "images": [{"name": "web", "ref": "web:1"}],
    "chart": {"name": "web", "version": "1"},
    "source": {"project": "shop/web", "commit": "a" * 40},
    "evidence": [{"stage": "itg", "suite": "smoke", "result": "passed", "by": "claimed"}],
}
KINDS_OF_FILE: dict[str, tuple[dict[str, Any], Callable[..., object]]] = {
    "application": (APP, config.parse_application),
    "ops": (OPS, config.parse_ops),
    "hold": (HOLD, holds.parse_hold),
    "passport": (PASSPORT, passports.parse),
}
FIELDS = (
    ("application", ("name",)),
    ("application", ("ops", "project")),
    ("application", ("images", 0, "name")),
    ("ops", ("stages", 0, "name")),
    ("ops", ("stages", 1, "after", 0)),
    ("ops", ("layout", "application")),
    ("ops", ("layout", "namespace")),
    ("hold", ("app",)),
    ("hold", ("stage",)),
    ("hold", ("release",)),
    ("passport", ("app",)),
    ("passport", ("id",)),
    ("passport", ("tree",)),
    ("passport", ("images", 0, "name")),
    ("passport", ("chart", "name")),
    ("passport", ("source", "project")),
    ("passport", ("source", "commit")),
    ("passport", ("evidence", 0, "stage")),
)
HARMLESS = {  # what is hostile elsewhere and an ordinary text there
    ("ops", "project"): {"a.lock/b", "refs/heads/main"},
    ("source", "project"): {"a.lock/b", "refs/heads/main"},
    ("chart", "name"): DOTTED,
    ("layout", "namespace"): {"{app}"},
}


def placed(document: Any, path: tuple[str | int, ...], value: str) -> Any:
    """A copy of `document` with `value` at `path`."""
    if not path:
        return value
    copy = document.copy()
    copy[path[0]] = placed(document[path[0]], path[1:], value)
    return copy


@pytest.mark.parametrize("field", range(len(FIELDS)))
def test_s03_a_field_of_a_file_refuses_them_by_its_name(field: int) -> None:
    kind, path = FIELDS[field]
    document, parse = KINDS_OF_FILE[kind]
    parse(json.dumps(document), source="holds/f.yaml")
    where = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    for name in some(field, one_of=3):
        if name in HARMLESS.get(path[-2:], set()):  # type: ignore[call-overload]
            continue
        text = json.dumps(placed(document, path, name), ensure_ascii=False)
        said = refusal(parse, text, source="holds/f.yaml")
        assert said, name
        assert f": ${where}: " in said or "holds/f.yaml:1: " in said, (name, said)


@pytest.mark.parametrize("path", [("chart",), ("values",), ("stage-values",)])
def test_s03_a_path_of_the_dev_repository_is_at_worst_a_plain_one(path: tuple[str]) -> None:
    for name in TYPED:
        text = json.dumps({**APP, path[0]: name}, ensure_ascii=False)
        if refusal(config.parse_application, text, source="gitops-ci.yaml"):
            continue
        assert set(name) <= PLAIN
        assert not name.startswith(("/", "-", " "))
        assert ".git" not in name.lower().split("/")


# --- the command line --------------------------------------------------------

POLICY = """\
apiVersion: gitops-ci/v1
kind: OpsRepository
stages:
  - {name: itg, merge: auto, sync: auto}
  - {name: tst, owners: [tst-owners], requires: [integration-tests]}
"""
IMAGE = f"registry.example.com/shop/web:1.0.0@sha256:{'9b' * 32}"
SAMPLE = {
    "gitops-ci.yaml": json.dumps({key: APP[key] for key in ("apiVersion", "kind", "name")}),
    "deploy/chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
    "deploy/values.yaml": "image:\n  tag: none\n",
    "deploy/values/itg.yaml": "{}\n",
    "deploy/values/tst.yaml": "{}\n",
}
MARKERS = ("marker", "touch", "id", "curl", "x", "github.token")


@dataclass(frozen=True)
class World:
    """A local forge, a dev repository that is the current directory, and programs that tell."""

    root: Path
    capture: pytest.CaptureFixture[str]

    @property
    def ops(self) -> Path:
        return self.root / "forge" / "platform" / "shop-ops.git"

    def promote(self, **changed: str) -> tuple[int, str]:
        """Exit code and standard error; `_` stands for `-` in the names of options."""
        options = {
            "stage": "itg",
            "project": "shop/web",
            "ops-repo": "platform/shop-ops",
            "image": f"shop={IMAGE}",
            "version": "1.0.0",
            "forge": "local",
            "forge-url": (self.root / "forge").as_uri(),
        } | {key.replace("_", "-"): value for key, value in changed.items()}
        code = cli.run(["promote", *(f"--{key}={value}" for key, value in options.items())])
        return code, self.capture.readouterr().err

    def snapshot(self) -> tuple[str, frozenset[str]]:
        """Every ref of the forge, and every path outside of git's own objects."""
        refs = git("for-each-ref", cwd=self.ops)
        paths = {str(path) for path in self.root.rglob("*") if "objects" not in path.parts}
        return refs, frozenset(paths)


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[World]:
    for project in ("platform/shop-ops", "shop/web"):
        LocalForge.create(
            tmp_path / "forge", project, user="admin", now=lambda: datetime(2026, 1, 2, tzinfo=UTC)
        )
    made = World(tmp_path, capsys)
    commit(made.ops, {"gitops-ci.yaml": POLICY})
    commit(init(tmp_path / "web", bare=False), SAMPLE)
    for folder in ("bin", "home", "tmp"):
        (tmp_path / folder).mkdir()
    for name in MARKERS:
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\n: > {tmp_path}/executed\n")
        program.chmod(0o755)
    for name in [name for name in os.environ if name.startswith(("GIT", "CI", "GITHUB"))]:
        monkeypatch.delenv(name)
    for name, value in isolated_env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path / "web")
    handler = signal.getsignal(signal.SIGTERM)
    yield made
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize(
    ("option", "template", "more", "given"),
    [
        ("suite", "{}=passed", {}, TYPED),
        ("suite", "smoke={}", {}, TYPED),
        ("ops_repo", "{}", {}, TYPED),
        ("ops_repo", "platform/{}", {}, TYPED),
        ("image", "{}=web:1", {}, some(0)),
        ("image", "shop={}:x y", {}, some(1)),
        ("version", "{}", {}, some(2)),
        ("release", "{}", {"stage": "tst"}, some(3)),
        ("release", "shop-{}-4be1c07d2a91", {"stage": "tst"}, some(4)),
        ("stage", "{}", {}, some(5)),
        ("project", "{}", {}, some(6)),
        ("project", "shop/{}", {}, some(7)),
    ],
)
def test_s03_an_option_refuses_them_and_nothing_happens(
    world: World, option: str, template: str, more: dict[str, str], given: tuple[str, ...]
) -> None:
    before = world.snapshot()
    for name in given:
        value = template.replace("{}", name)
        if name in DOTTED or not names.suite_fault(name):
            continue
        code, said = world.promote(**{**more, option: value})
        assert code == 2, (value, said)
        assert "Traceback" not in said
        assert option.split("_")[0] in said.lower() or "project" in said, (value, said)
        assert all(line.isprintable() for line in said.split("\n")), said
    assert world.snapshot() == before


@pytest.mark.parametrize("key", ["name", "ops"])
def test_s03_the_configuration_refuses_them_and_nothing_happens(world: World, key: str) -> None:
    file = world.root / "web" / "gitops-ci.yaml"
    before = world.snapshot()
    for name in set(some(9)) - DOTTED - HARMLESS["ops", "project"]:
        value: object = {"project": name} if key == "ops" else name
        file.write_text(json.dumps({**APP, key: value}), encoding="utf-8", errors="surrogateescape")
        code, said = world.promote()
        assert code == 2, (name, said)
        assert f"$.{key}" in said or "gitops-ci.yaml" in said
    assert world.snapshot() == before


def test_s03_a_hostile_tag_is_made_harmless(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = world.snapshot()
    monkeypatch.setenv("GITLAB_CI", "true")
    monkeypatch.setenv("CI_PROJECT_PATH", "shop/web")
    monkeypatch.setenv("CI_COMMIT_SHA", git("rev-parse", "HEAD", cwd=world.root / "web"))
    for name in some(10):
        monkeypatch.setenv("CI_COMMIT_TAG", name)
        code = cli.run([
            "promote",
            "--dry-run",
            "--stage=itg",
            f"--image=shop={IMAGE}",
            "--forge=local",
            "--ops-repo=platform/shop-ops",
            f"--forge-url={(world.root / 'forge').as_uri()}",
            "--output=json",
        ])
        printed = world.capture.readouterr()
        assert code == 0, printed.err
        assert names.parse_branch(json.loads(printed.out)["branch"])
    assert world.snapshot() == before


def test_s03_the_programs_that_must_not_run_can_be_seen_to_run(world: World) -> None:
    before = world.snapshot()
    assert shutil.which("marker") == str(world.root / "bin" / "marker")
    os.spawnv(os.P_WAIT, str(world.root / "bin" / "marker"), ["marker"])
    assert world.snapshot() != before


def test_s03_the_same_command_without_a_hostile_name_does_its_work(world: World) -> None:
    code, said = world.promote()
    assert code == 0, said
    assert "refs/heads/promote/itg/shop/shop-1.0.0-" in git("for-each-ref", cwd=world.ops)
