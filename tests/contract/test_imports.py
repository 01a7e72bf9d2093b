"""Imports go one way; the core is torch alone; nothing heavy is imported for --help."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LEAVES = {
    "catalogue",
    "errors",
    "files",
    "finite",
    "lock",
    "seeds",
    "device",
    "memory",
    "process",
    "progress",
    "wording",
    "yaml_text",
}
"""Modules of one function or two that anything but the core may use."""

ALLOWED = {
    "core": set(),
    "geometries": {"core", "device"},
    "losses": {"errors"},
    "metrics": LEAVES,
    "uncertainty": {"core", "seeds"},
    "models": {"core", "geometries", "catalogue", "wording"},
    "tasks": {"core", "losses", "metrics", "uncertainty"},
    "training": {"core", "tasks", *LEAVES},
    "prediction": {"core", "geometries", "tasks", "uncertainty", *LEAVES},
    "testing": {"core", "uncertainty"},
    "diffusion": {"core", "losses", "tasks", "training", *LEAVES},
    "domains": {
        *("core", "geometries", "losses", "metrics", "uncertainty", "models", "tasks", "training", "prediction"),
        "diffusion",
        *LEAVES,
    },
    "catalogue": set(),
    "errors": set(),
    "files": {"errors", "process"},
    "finite": {"errors"},
    "lock": {"errors"},
    "memory": set(),
    "process": set(),
    "progress": {"wording"},
    "seeds": set(),
    "wording": set(),
    "yaml_text": set(),
    "device": {"errors"},
}
SOURCES = sorted((ROOT / "multiunet").rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Dotted names of all modules that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    parts = path.relative_to(ROOT / "multiunet").with_suffix("").parts
    part = parts[0]
    if part == "__init__":
        return
    for name in imported(path):
        root, _, rest = name.partition(".")
        assert root not in ("multiunet_cli", "multiunet_datasets", "cli", "benchmarks"), f"{path} imports {name}"
        if root != "multiunet":
            continue
        target = rest.partition(".")[0]
        assert target, f"{path} imports the package's public names; name the module"
        assert target == part or target in ALLOWED[part], f"{part} may not import {target} ({path})"


@pytest.mark.parametrize("part", [part for part in ALLOWED if (ROOT / "multiunet" / part).is_dir()])
def test_no_module_imports_itself_by_way_of_others(part: str) -> None:
    """Imports for types count, too: who has to read another file to understand this one reads in a circle."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in SOURCES}
    needs = {
        name: imported(path) & modules.keys() for name, path in modules.items() if name.startswith(f"multiunet.{part}.")
    }
    while needs:
        free = [name for name, others in needs.items() if not others & needs.keys()]
        assert free, f"in a circle: {', '.join(sorted(needs))}"
        needs = {name: others for name, others in needs.items() if name not in free}


@pytest.mark.parametrize("path", [p for p in SOURCES if p.parent.name == "core"], ids=lambda path: path.name)
def test_core_imports_torch_alone(path: Path) -> None:
    foreign = {name.partition(".")[0] for name in imported(path)} - set(sys.stdlib_module_names)
    assert foreign <= {"torch", "multiunet"}


@pytest.mark.parametrize("path", [p for p in SOURCES if p.parent.name == "core"], ids=lambda path: path.name)
def test_core_names_no_dimension_and_no_domain(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(tree)}
    for word in ("Conv1d", "Conv2d", "Conv3d", "MaxPool2d", "Grid", "Graph", "genome", "image"):
        assert word not in names


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "train image --help",
        "predict genome --help",
        "evaluate graph --help",
        "train graphs --help",
        "variants genome --help",
    ],
)
def test_help_imports_nothing_heavy(command: str) -> None:
    program = (
        "import sys\nfrom multiunet_cli.application import application\n"
        f"try: application()({command.split()!r})\nexcept SystemExit as e: assert e.code == 0, e.code\n"
        "heavy = {'torch', 'numpy', 'xarray', 'zarr', 'scipy', 'torch_geometric', 'pyfaidx', 'skimage'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_only_training_itself_imports_fabric() -> None:
    program = (
        "import sys\nfrom multiunet.domains import inference, training\nfrom multiunet.domains.spec import domains\n"
        "assert all(spec.load() for spec in domains().values())\n"
        "assert not {'lightning_fabric', 'torchmetrics', 'torch_geometric'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_importing_multiunet_does_not_import_torch_but_its_names_do() -> None:
    program = (
        "import sys, multiunet\nassert 'torch' not in sys.modules\n"
        "missing = [name for name in multiunet.__all__ if getattr(multiunet, name) is None]\n"
        "assert not missing and 'torch' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_public_names_are_deliberate() -> None:
    import multiunet

    assert multiunet.__all__ == [
        *("SAG", "Add", "AttentionGate", "Concat", "Condition", "ConditionEmbedding", "Contraction"),
        *("Denoiser", "Denoising", "DiffusionData", "Dropout", "Geometry", "Graph", "GraphField", "Grid"),
        *("GridPredictor", "GridSource", "HeavyEdgeMatching", "InputError", "MaskedData", "MaskedModel"),
        *("MinCut", "Moments", "NestedUNet", "NoSkip", "NoisedValidator", "ReceptiveField", "Recipe"),
        *("Regression", "Run", "Sample", "Sampler", "Segmentation", "SiteNoise", "Skip", "TopK"),
        *("TrainingData", "UNet", "Unmasker", "Unmasking", "attribute", "calibrate", "check", "compare", "evaluate"),
        *("explain", "export", "fit", "load"),
        *("measure", "mutagenesis", "open_prediction", "plan", "predict", "predict_field", "receptive_field", "sample"),
        *("share", "train", "variants", "write_page"),
    ]
    assert set(multiunet.__all__) <= set(dir(multiunet))


@pytest.mark.parametrize("before", ["", "import multiunet.models.unet2015", "find_network('unet2015')"])
def test_models_are_functions_whatever_was_imported_before(before: str) -> None:
    program = (
        "import sys\nfrom multiunet.catalogue import find_network\nassert 'torch' not in sys.modules\n"
        f"{before}\n"
        "import multiunet.models\nfrom multiunet.models import unet2015\nfrom multiunet.models.unet2015 import Grid\n"
        "unet2015(2, 1, 2, channels=[2, 2])\n"
        "assert set(multiunet.models.__all__) <= set(dir(multiunet.models))\n"
        "assert all(callable(getattr(multiunet.models, name)) for name in multiunet.models.__all__)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
