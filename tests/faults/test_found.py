"""What the fuzzer found: odd numbers, cells too large, and values that a second reader would not read."""

from __future__ import annotations

import struct
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
import xarray as xr
import zarr

from multiunet.domains.genome.annotation.reading import read_features
from multiunet.domains.genome.bigwig import BigWig
from multiunet.domains.genome.intervals import read_intervals
from multiunet.domains.genome.several.table import read_genomes
from multiunet.domains.genome.targets_table import open_targets
from multiunet.domains.genome.variants.vcf import iter_records
from multiunet.domains.image.class_names import parse_class_names
from multiunet.domains.image.files.dots import read_dots
from multiunet.domains.image.files.readers import read_image
from multiunet.domains.image.generation.columns import name_labels
from multiunet.errors import InputError
from multiunet.prediction.reading import open_datasets
from multiunet.training.run_folder import RunFolder
from tests.faults.fuzz.bigwig import sum_plainly, write_plainly
from tests.faults.fuzz.volumes import write_dicom

ODD = ("²", "٣", "1_0", "9" * 5000, "0x10", "1.0")
"""Texts for which ``isdigit``, ``int`` or both would not do."""


@pytest.mark.parametrize("odd", ODD)
def test_positions_are_digits(odd: str, tmp_path: Path) -> None:
    readers = {
        "a.gff3": (read_features, f"chr1\tx\tgene\t{odd}\t50\t.\t+\t.\t.\n", 1),
        "b.gff3": (read_features, f"chr1\tx\tgene\t5\t{odd}\t.\t+\t.\t.\n", 1),
        "a.bed": (read_features, f"chr1\t0\t{odd}\tgene\n", 1),
        "b.bed": (lambda path: read_intervals(path, "BED"), f"chr1\t0\t{odd}\n", 1),
        "a.tab": (read_features, "\t".join([*"abcdefgh", "2", odd, "9", "W", *"abcd"]) + "\n", 1),
        "a.vcf": (lambda path: [*iter_records(path)], f"#CHROM\tPOS\tID\tREF\tALT\nchr1\t{odd}\t.\tA\tC\n", 2),
    }
    for name, (read, text, line) in readers.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=rf"{name}:{line}: "):
            read(tmp_path / name)


def test_labels_beyond_all_numbers_are_words() -> None:
    assert name_labels(["10", "9", "-1"]) == ("-1", "9", "10")
    assert name_labels(["9" * 5000, "1"]) == ("1", "9" * 5000)


def test_a_cell_is_larger_than_a_table_may_have(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("identifier\tfile\tname\tfasta\ttargets\na\t" + "x" * 200_000 + "\n")
    for read in (lambda: open_targets([path]), lambda: read_genomes(path, ())):
        with pytest.raises(InputError, match=r"t.tsv: damaged, cut short or of another format \(field larger"):
            read()


def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("\nidentifier\tfile\n\na\t\n")
    with pytest.raises(InputError, match=r"t.tsv:4: has no file"):
        open_targets([path])
    dots = tmp_path / "a.csv"
    dots.write_text("x,y,note\n1,2,a\u2028b\n3,9,\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 3: y is 9"):
        read_dots(dots, (9, 9))


@pytest.mark.parametrize("order", "<>")
def test_a_bigwig_is_of_one_signal(order: str, tmp_path: Path) -> None:
    path = write_plainly(tmp_path / "a.bw", order)
    whole, plain = path.read_bytes(), sum_plainly(path, 50)
    for zero in (False, True):
        sums, covered = BigWig(path).bin_sums("chr1", 50, zero)
        assert sums.tolist() == plain["chr1"][0].tolist()
        assert zero or covered.tolist() == plain["chr1"][1].tolist()
    data, blocks = struct.unpack_from(f"{order}QQ", whole, 16)
    second = data + 8 + 24 + 12  # the second interval of the first block; it begins where the first one does
    spoilt = bytearray(whole)
    struct.pack_into(f"{order}I", spoilt, second, 2)
    path.write_bytes(spoilt)
    for zero in (False, True):
        with pytest.raises(InputError, match=r"a.bw: has two values of chr1:2-3; its intervals overlap"):
            BigWig(path).bin_sums("chr1", 50, zero)
    spoilt = bytearray(whole)
    struct.pack_into(f"{order}I", spoilt, blocks + 48 + 4 + 12, 400)  # the end of the first block in the index
    path.write_bytes(spoilt)
    with pytest.raises(InputError, match=r"a.bw: damaged: a block is of other bases than its index says"):
        BigWig(path)


def test_lines_that_are_no_intervals_stand_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "a.bedGraph"
    path.write_text("chr1\t0\t9\t1\n#\t4\t12\t2\ntrack\t4\t12\t2\n#x\t4\t12\t2\nchr1\t9\t12\t3\n")
    found = read_intervals(path, "bedGraph")
    assert list(found) == ["chr1"]
    assert (found["chr1"].values.tolist(), found["chr1"].lines.tolist()) == ([1, 3], [1, 5])


def test_tables_of_names_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for text, said in (("", "has no columns value and name"), ("value,name\n0,a\n0,b\n", "value 0 is named twice")):
        path.write_text(text)
        with pytest.raises(ValueError, match=rf"a.csv.* ?{said}"):
            parse_class_names(str(path))


def test_a_log_and_a_checkpoint_with_numbers_of_thousands_of_digits(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {"domain": "graph"}, {})
    run.log({"epoch": 1})
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": ' + "9" * 5000 + "}\n")
    assert [row["epoch"] for row in run.history()] == [1]
    (run.path / "metrics.jsonl").write_text('{"epoch": 1}\n' + "[" * 100_000 + "\n")
    assert [row["epoch"] for row in run.history()] == [1]


def test_a_dicom_that_states_half_of_a_scale_is_refused(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    path = write_dicom(tmp_path)
    data = pydicom.dcmread(path)
    for name in ("RescaleSlope", "RescaleIntercept"):
        value = data.pop(name)
        data.save_as(path)
        with pytest.raises(InputError, match=r"a.dcm: .*one of RescaleSlope and RescaleIntercept without the other"):
            read_image(path)
        data[name] = value


def test_a_dicom_that_states_four_gigabytes_of_a_header_makes_no_room_for_them(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    path = write_dicom(tmp_path)
    path.write_bytes(path.read_bytes() + struct.pack("<HH2sHI", 0x7FE1, 0x10, b"OB", 0, 0xFFFFFFF0))
    tracemalloc.start()
    try:
        with suppress(InputError):  # a damaged end may be left
            read_image(path)
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


def test_a_coordinate_of_a_prediction_that_cannot_be_unpacked(tmp_path: Path) -> None:
    data = xr.Dataset({"mean": ("y", [1.0, 2.0])}, {"y": [0, 1]}, {"name": "a"})
    data.to_zarr(tmp_path / "p.zarr", group="a", consolidated=False, zarr_format=3)
    group = zarr.open_group(tmp_path / "p.zarr")
    group.attrs["multiunet"] = "0.1"
    assert open_datasets(tmp_path / "p.zarr")["a"]["mean"].values.tolist() == [1, 2]
    chunk = tmp_path / "p.zarr/a/y/c/0"
    chunk.write_bytes(chunk.read_bytes()[:12] + bytes(8))
    with pytest.raises(InputError, match=r"p.zarr: the prediction cannot be read"):
        open_datasets(tmp_path / "p.zarr")
