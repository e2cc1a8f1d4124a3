from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.contract.forge_worlds import WORLDS, ForgeWorld


@pytest.fixture(autouse=True)
def no_machine_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture(params=sorted(WORLDS))
def forge_world(request: pytest.FixtureRequest, tmp_path: Path) -> ForgeWorld:
    """A fresh project on each kind of forge."""
    return WORLDS[request.param](tmp_path / "forge")
