"""git as a door: the ops repository in a scratch copy, and the checkout a command runs in.

What others use is here; the rooms behind it are nobody else's business.
"""

from __future__ import annotations

from gitops_ci.git.objects import (
    FILE_MODE,
    SUBMODULE_MODE,
    TREE_MODE,
    Commit,
    Entry,
    Objects,
    Place,
)
from gitops_ci.git.remote import Remote, Rung
from gitops_ci.git.work_tree import WorkTree

__all__ = [
    "FILE_MODE",
    "SUBMODULE_MODE",
    "TREE_MODE",
    "Commit",
    "Entry",
    "Objects",
    "Place",
    "Remote",
    "Rung",
    "WorkTree",
]
