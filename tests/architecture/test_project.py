"""The project's own files agree with each other, and name no machine and no registry."""

from __future__ import annotations

import ast
import re
import subprocess  # noqa: TID251 - git knows which files are ours
import tomllib
from functools import cache

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import gitops_ci
from tests.support.modules import MODULES, ROOT, tree

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS = PROJECT["dependency-groups"]
LOCKS = {
    "requirements-dev.txt": (*PROJECT["project"]["dependencies"], *GROUPS["dev"]),
    "requirements-helm.txt": tuple(GROUPS["helm"]),
}

# Written so that this file does not match itself.
MACHINE = re.compile(r"(?<![\w.>}/-])/(?:work|root|home/[a-z]+|Users/[A-Za-z]+)(?:/|\b(?!/))")
REGISTRY = re.compile(
    r"\b(?:pypi[.]org|pythonhosted[.]org|npmjs[.](?:org|com)|crates[.]io|proxy[.]golang[.]org"
    r"|maven[.]org|deb[.]debian[.]org|rubygems[.]org)\b"
)

PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>[^ ;]+)", re.MULTILINE)
FENCE = re.compile(r"^ *```[^\n]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


@cache
def project_files() -> tuple[str, ...]:
    """What git tracks, and what it would track."""
    argv = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(name for name in listed.split("\0") if (ROOT / name).is_file())


def naming(pattern: re.Pattern[str]) -> list[str]:
    """Places that match, as `file: text`."""
    texts = ((n, (ROOT / n).read_bytes().decode("utf-8", "replace")) for n in project_files())
    return [f"{n}: {found[0]}" for n, text in texts for found in pattern.finditer(text)]


def test_no_file_names_a_path_of_a_machine():
    assert naming(MACHINE) == []


def test_no_file_names_a_package_registry():
    assert naming(REGISTRY) == []


def test_what_the_patterns_are_for_is_found():
    assert MACHINE.search("cd /" + "work/main")
    assert MACHINE.search("see /" + "root")
    assert not MACHINE.search("https://example.com/" + "work/a")
    assert not MACHINE.search("a/" + "work/b")
    assert REGISTRY.search("https://pypi" + ".org/simple")


def test_the_version_is_written_twice_and_the_same():
    assert PROJECT["project"]["version"] == gitops_ci.__version__


@pytest.mark.parametrize("lock", sorted(LOCKS))
def test_a_lock_holds_what_the_project_asks_for(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    pins = {canonicalize_name(name): version for name, version in PIN.findall(text)}
    for wanted in map(Requirement, LOCKS[lock]):
        assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)]), wanted.name


@pytest.mark.parametrize("lock", sorted(LOCKS))
def test_a_lock_holds_pins_with_hashes_and_nothing_else(lock):
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines
    assert not [line[:60] for line in lines if not PIN.match(line) or "--hash=sha256:" not in line]


def test_every_hook_of_others_is_frozen_to_a_commit():
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    revisions = re.findall(r"^ *rev: (.*)$", text, re.MULTILINE)
    assert revisions
    assert all(re.fullmatch(r"[0-9a-f]{40} # frozen: \S+", revision) for revision in revisions)


def test_the_readme_shows_only_commands_that_there_are():
    fenced = "".join(FENCE.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    shown = set(re.findall(r"^(?:\$ )?make ([a-z-]+)", fenced, re.MULTILINE))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"demo", "test"} <= shown
    assert shown <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def test_every_target_that_make_shows_is_told_in_a_line_of_help():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_says_what_it_owns(module):
    assert ast.get_docstring(tree(module))


@pytest.mark.parametrize("module", ["forge", "live"])
def test_every_public_class_of_a_protocol_module_says_what_it_is(module):
    classes = [node for node in tree(module).body if isinstance(node, ast.ClassDef)]
    assert classes
    assert not [c.name for c in classes if c.name[0] != "_" and not ast.get_docstring(c)]


def test_every_call_of_a_forge_that_its_name_does_not_tell_has_a_line():
    """A call of the Protocol either says what it does, or its types say all there is."""
    forge = next(n for n in tree("forge").body if isinstance(n, ast.ClassDef) and n.name == "Forge")
    calls = [node for node in forge.body if isinstance(node, ast.FunctionDef)]
    silent = [c for c in calls if not ast.get_docstring(c)]
    assert not [c.name for c in silent if c.args.kwonlyargs or c.returns is None]
