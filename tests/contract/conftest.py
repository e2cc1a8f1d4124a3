from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.forge_worlds import WORLDS, ForgeWorld


@pytest.fixture(params=sorted(WORLDS))
def forge_world(request: pytest.FixtureRequest, tmp_path: Path) -> ForgeWorld:
    """A fresh project on each kind of forge."""
    return WORLDS[request.param](tmp_path / "forge")
