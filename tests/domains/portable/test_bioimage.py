"""Packages for bioimage.io: a validator takes them, and their outputs are those of ``predict``."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from multiunet_datasets import synthetic
from PIL import Image

import multiunet
from multiunet.domains.portable.options import ExportOptions
from multiunet.errors import InputError
from multiunet.prediction import open_datasets

ORT = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    synthetic.write_polycrystal(folder, images=5, size=64, grains=9)
    settings = {
        **{"images": folder / "images", "masks": folder / "masks", "epochs": 1, "steps_per_epoch": 2},
        **{"widths": "4,8", "patch_size": "32", "precision": "32", "intensities": "image"},
    }
    multiunet.train("image", settings, folder / "steel")
    return folder


@pytest.fixture(scope="module")
def package(folder: Path) -> Path:
    options = {"to": "bioimageio", "sample": folder / "images/00.png", "license": "CC-BY-4.0", "authors": ["A. Person"]}
    multiunet.export(folder / "steel", options, folder / "steel.zip")
    return folder / "steel.zip"


def read(package: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    with zipfile.ZipFile(package) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    return files, yaml.safe_load(files["rdf.yaml"])


def array(content: bytes) -> np.ndarray:
    found: np.ndarray = np.load(io.BytesIO(content), allow_pickle=False)
    return found


def test_a_package_holds_what_it_says(package: Path, folder: Path) -> None:
    files, said = read(package)
    assert said["weights"].keys() == {"onnx"}
    named = [said["weights"]["onnx"], *(one["test_tensor"] for one in (*said["inputs"], *said["outputs"]))]
    for one in named:
        assert one["sha256"] == hashlib.sha256(files[one["source"]]).hexdigest()
    assert [one["id"] for one in said["outputs"]] == ["mean", "aleatoric", "total", "classes"]
    cover = Image.open(io.BytesIO(files["cover.png"]))
    assert cover.width == 2 * cover.height
    assert b"## Licence\n\nCC-BY-4.0." in files["README.md"]
    for name, content in files.items():
        assert str(folder).encode() not in content, name


def test_test_outputs_are_those_of_onnx_runtime_and_of_predict(package: Path, folder: Path) -> None:
    files, said = read(package)
    session = ORT.InferenceSession(files["weights.onnx"], providers=["CPUExecutionProvider"])
    image = array(files["test_input_image.npy"])
    found = dict(zip([one["id"] for one in said["outputs"]], session.run(None, {"image": image})))
    options = {"images": folder / "images", "samples": 1, "precision": "32", "device": "cpu"}
    multiunet.predict(folder / "steel", options, folder / "p.zarr")
    predicted = open_datasets(folder / "p.zarr")["00"]
    for one in said["outputs"]:
        stored = array(files[one["test_tensor"]["source"]])
        np.testing.assert_allclose(found[one["id"]], stored, atol=1e-5)
        if one["id"] != "classes":
            np.testing.assert_allclose(stored[0], predicted[one["id"]].values, atol=1e-5)


def test_the_validator_of_bioimage_io_takes_it(package: Path) -> None:
    spec = pytest.importorskip("bioimageio.spec")
    found = spec.load_description(package)
    assert not isinstance(found, spec.InvalidDescr), found.validation_summary.display()
    core = pytest.importorskip("bioimageio.core")
    summary = core.test_model(package)
    assert summary.status in ("passed", "valid-format"), summary.display()


def test_without_a_sample_nothing_of_the_data_is_shown(folder: Path, tmp_path: Path) -> None:
    multiunet.export(folder / "steel", {"to": "bioimageio"}, tmp_path / "steel.zip")
    files, said = read(tmp_path / "steel.zip")
    assert "license" not in said
    image = array(files["test_input_image.npy"])
    pictures = [np.asarray(Image.open(path)) for path in sorted((folder / "images").iterdir())]
    assert abs(image.mean() - np.mean(pictures)) < np.std(pictures)
    assert not any(np.array_equal(image[0, 0, :64, :64], picture) for picture in pictures)


@pytest.mark.parametrize("given", [{"license": "MIT"}, {"authors": ["A"]}, {"sample": "a.png"}, {"allow": "anna"}])
def test_words_of_a_package_are_for_packages(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"`{next(iter(given))}` is of packages; .*`to=bioimageio`"):
        ExportOptions(to="onnx", **given)


def test_other_names_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"NAME\.zip"):
        multiunet.export(folder / "steel", {"to": "bioimageio"}, folder / "steel.onnx")
