from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Real data; tests that need it are skipped where it is absent."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("MULTIUNET_DATA", default))
    if not (folder / "README.md").is_file():
        pytest.skip(f"real data not found in {folder}; set MULTIUNET_DATA")
    return folder


@pytest.fixture(autouse=True)
def _same_start() -> None:
    torch.manual_seed(0)
