"""torch-geometric leaves no code in the temporary folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from torch_geometric.nn import GATv2Conv
from multiunet.geometries.graph.pyg_templates import removing_templates
with removing_templates():
    layer = GATv2Conv(2, 2)
"""


@pytest.mark.slow
def test_a_layer_leaves_no_code_in_the_temporary_folder(tmp_path: Path) -> None:
    own = {"TMPDIR": str(tmp_path), "PYTHONPATH": ":".join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", PROGRAM], env=own, check=True)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
