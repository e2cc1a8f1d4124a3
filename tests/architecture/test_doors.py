"""One door each: what only some modules may do, whichever layer they are in."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.modules import MODULES, imports_of_others, references, texts

CLI = frozenset(m for m in MODULES if m == "cli" or m.startswith("cli."))

# The only modules that may import it.
IMPORTS = {
    "asyncio": set(),
    "click": CLI,
    "fcntl": {"refstore"},
    "github": {"forge.github"},
    "gitlab": {"forge.gitlab"},
    "jsonschema": {"schemas"},
    "logging": {"process"},
    "multiprocessing": set(),
    "random": set(),
    "referencing": {"schemas"},
    "requests": set(),
    "rich": CLI,
    "ruamel": {"resources", "yamltree"},
    "shutil": {"files", "helm"},
    "signal": {"cli", "process"},
    "socket": set(),
    "subprocess": {"process"},
    "sys": {"__main__", *CLI},
    "tempfile": {"files", "helm"},
    "threading": set(),
    "time": {"cli.app"},
    "urllib.request": set(),
}

# The only modules that may use it.
USES = {
    "os.environ": {"ci", "cli.app", "cli.run_demo", "gitcall"},  # the last as a default
    "os.getenv": set(),
    "os.chdir": set(),
    "os.system": set(),
    "print": set(),
    "input": set(),
    "datetime.now": {"cli.app"},
    "datetime.today": set(),
    "datetime.utcnow": set(),
    "date.today": set(),
    "time.sleep": {"cli.app"},
    "sys.stdout": {"cli"},
    "sys.stderr": {"cli"},
    "sys.exit": {"__main__"},
}

FILES = frozenset({
    "chmod",
    "glob",
    "hardlink_to",
    "iterdir",
    "mkdir",
    "read_bytes",
    "read_text",
    "rename",
    "rglob",
    "rmdir",
    "symlink_to",
    "touch",
    "unlink",
    "write_bytes",
    "write_text",
})
FILE_DOORS = frozenset({"files", "git.remote", "helm", "refstore"})
PACKAGE_DATA = frozenset({"schemas", "scaffold"})  # read by `importlib.resources`

PLAYS_RUNNER = frozenset({"commands.demo.story", "commands.demo.world"})
RUNNER = re.compile(r"\b(?:CI|GITHUB|GITLAB)_[A-Z]")


def uses(module: str, name: str) -> bool:
    return any(f".{used}".endswith(f".{name}") for used in references(module))


def file_calls(module: str) -> Iterator[str]:
    """Calls of `pathlib` that read, list or change; `files` and `layout` have names like these."""
    for used in references(module):
        owner, dot, call = used.rpartition(".")
        if dot and call in FILES and owner not in {"files", "layout", "paths"}:
            yield used


@pytest.mark.parametrize("package", sorted(IMPORTS))
def test_only_its_doors_import_a_package(package):
    wanted = {m for m in MODULES if any(is_in(n, package) for n in imports_of_others(m))}
    assert wanted <= IMPORTS[package]


def is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize("name", sorted(USES))
def test_only_its_doors_use_a_name(name):
    assert {module for module in MODULES if uses(module, name)} <= USES[name]


def test_only_ci_and_who_plays_a_runner_know_the_variables_of_a_runner():
    found = {module for module in MODULES if any(map(RUNNER.search, texts(module)))}
    assert found == {"ci"} | PLAYS_RUNNER


OTHERS = sorted(MODULES.keys() - FILE_DOORS - PACKAGE_DATA)


@pytest.mark.parametrize("module", OTHERS)
def test_files_are_read_and_changed_by_the_doors_alone(module):
    assert not set(file_calls(module))


@pytest.mark.parametrize("module", sorted(PACKAGE_DATA))
def test_package_data_is_read_by_its_owners_and_nothing_else(module):
    assert "importlib.resources" in imports_of_others(module)
    assert {call.rpartition(".")[2] for call in file_calls(module)} <= {
        "read_text",
        "read_bytes",
        "iterdir",
    }


@pytest.mark.parametrize("module", sorted(MODULES))
def test_the_builtin_open_is_not_used(module):
    assert "open" not in references(module)
