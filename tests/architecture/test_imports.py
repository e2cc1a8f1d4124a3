"""What a call of the program loads: a help text needs no SDK, no schema and no YAML."""

from __future__ import annotations

import json
import subprocess  # noqa: TID251 - a fresh interpreter shows what an import loads
import sys

import pytest

from gitops_ci.cli import COMMANDS

HEAVY = (
    "asyncio",
    "github",
    "gitlab",
    "importlib.metadata",
    "jinja2",
    "jsonschema",
    "referencing",
    "requests",
    "rich",
    "ruamel",
    "urllib3",
)

CHILD = """
import json, sys
before = set(sys.modules)
from gitops_ci.__main__ import main
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules.keys() - before)), file=sys.stderr)
"""


def loaded(*arguments: str) -> frozenset[str]:
    """The modules that the program loads for these arguments."""
    done = subprocess.run(
        (sys.executable, "-c", CHILD, *arguments), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: gitops-ci" in done.stdout
    return frozenset(json.loads(done.stderr))


def test_help_loads_next_to_nothing_of_ours():
    ours = {name for name in loaded("--help") if name.startswith("gitops_ci")}
    assert ours == {"gitops_ci", "gitops_ci.__main__", "gitops_ci.cli", "gitops_ci.errors"}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_no_help_loads_a_heavy_package(command):
    heavy = {name for name in loaded(command, "--help") if name.startswith(HEAVY)}
    assert not heavy
