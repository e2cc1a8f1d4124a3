"""The package's modules as syntax trees: what each imports and calls. Runs none of them.

A module goes by its name below `gitops_ci`; the package itself is the empty name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = "gitops_ci"
ROOT = Path(__file__).parents[2]


def _named() -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = dict(_named())


@cache
def tree(module: str) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


@cache
def imports(module: str) -> frozenset[str]:
    """Full dotted names of all that it imports: `os`, `datetime.datetime`, `gitops_ci.names`."""
    found: set[str] = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}:{node.lineno} imports relatively"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


@cache
def imports_of_ours(module: str) -> frozenset[str]:
    """Modules of the package that it imports."""
    names = (name for name in imports(module) if name.split(".")[0] == PACKAGE)
    return frozenset(_module(name) for name in names)


def imports_of_others(module: str) -> frozenset[str]:
    """What it imports of the standard library and of other packages."""
    return frozenset(name for name in imports(module) if name.split(".")[0] != PACKAGE)


def _module(name: str) -> str:
    """`gitops_ci.names.is_commit` and `gitops_ci.names` are `names`."""
    below = name.removeprefix(PACKAGE).removeprefix(".")
    return below if below in MODULES else below.rpartition(".")[0]


def unit(module: str) -> str:
    """The command that a module of `commands` belongs to."""
    return module.split(".")[1] if "." in module else ""


@cache
def references(module: str) -> frozenset[str]:
    """Names and dotted names that it uses outside of imports: `open`, `sys.stdout`, `files.walk`.

    What is called on the result of something else goes by its last name alone: `.mkdir`.
    """
    return frozenset(_spelled(node) for node in ast.walk(tree(module)) if _is_reference(node))


def _is_reference(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute | ast.Name)


def _spelled(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _spelled(node.value) if isinstance(node.value, ast.Name | ast.Attribute) else ""
        return f"{before}.{node.attr}"
    raise TypeError(type(node))


def texts(module: str) -> frozenset[str]:
    """All its string constants but the docstrings."""
    strings = {
        id(node): node.value
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            strings.pop(id(node.value), None)
    return frozenset(strings.values())
