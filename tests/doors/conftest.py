"""What the tests of the doors share: a real Helm."""

from __future__ import annotations

import os

import pytest

from gitops_ci.helm import Helm
from tests.support.charts import real_helm


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """A real Helm, found once a run."""
    own = tmp_path_factory.getbasetemp()
    return real_helm(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)
