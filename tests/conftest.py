"""What holds for every test: nothing of this machine, user or pipeline comes in."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

FULL = os.environ.get("GITOPS_CI_FULL") == "1"
FOREIGN = ("CI_", "GIT_", "GITHUB_", "GITLAB_", "GITOPS_", "XDG_")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("full") and not FULL:
            item.add_marker(pytest.mark.skip(reason="a long form: `make test-full`"))


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether the long form of a test is wanted."""
    return FULL


@pytest.fixture(scope="session", autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An environment without home, machine configuration, pipeline or local time."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in (n for n in os.environ if n == "CI" or n.startswith(FOREIGN)):
            patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()
    assert not list(home.iterdir()), "a test has written to the home directory"
