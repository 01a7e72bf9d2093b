"""Mutating fuzzer over every reader: a mutant is read as the reference reads it, or refused by an error that names it.

``python tests/faults/fuzz.py --seconds 600`` fuzzes all readers in turn, ``--reader tiff`` one of them. Anything else
than a result or an ``InputError`` or ``RunError`` that names the file, more than ten seconds, more than two gigabytes,
or a result that differs from the reference, is printed with the number that makes the mutant again (``--only``).
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from multiunet_datasets import synthetic

from multiunet.errors import InputError, RunError

HANG, MOST = 10.0, 2 << 30

EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)


@dataclass
class Reader:
    """A reader with a seed and, where there is one, a second reader to compare with.

    Attributes:
        make: writes the seed into a folder, and returns the file or folder.
        read: reads it whole.
        reference: returns what another reader makes of the same file; raises what it cannot read.
    """

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    reference: Callable[[Path], Any] | None = None


@dataclass
class Tally:
    """Counts of outcomes, and what went wrong, by reader."""

    counts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)


def pixels(path: Path) -> Any:
    from multiunet.domains.image.files.readers import read_image

    found = read_image(path).pixels
    part = found[tuple(slice(0, min(n, 256)) for n in found.shape)]
    return part[0] if part.shape[0] == 1 else part


def write_png(folder: Path) -> Path:
    from PIL import Image

    Image.fromarray(IMAGE).save(folder / "a.png")
    return folder / "a.png"


def write_tiff(folder: Path) -> Path:
    import tifffile

    tifffile.imwrite(folder / "a.tif", IMAGE, compression="zlib", rowsperstrip=8)
    return folder / "a.tif"


def write_nifti(folder: Path) -> Path:
    import nibabel

    nibabel.save(nibabel.Nifti1Image(IMAGE.reshape(8, 9, 16), np.eye(4)), folder / "a.nii")
    return folder / "a.nii"


def write_hdf5(folder: Path) -> Path:
    import h5py

    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("raw", data=IMAGE, chunks=(12, 32), compression="gzip", fletcher32=True)
    return folder / "a.h5"


def write_zarr(folder: Path) -> Path:
    import zarr

    zarr.create_array(folder / "a.zarr", data=IMAGE, chunks=(12, 32))
    return folder / "a.zarr"


def of_tests(module: str, name: str, *given: Any) -> Callable[[Path], Path]:
    """Return a writer of the tests of image files, which writes into a folder."""

    def make(folder: Path) -> Path:
        file = Path(__file__).parents[1] / f"domains/image/files/{module}.py"
        spec = importlib.util.spec_from_file_location(module, file)
        assert spec is not None
        assert spec.loader is not None
        found = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
        ending = name.removeprefix("write_") if name.startswith("write_") else "mrc"
        return Path(getattr(found, name)(folder / f"a.{ending}", *given))

    return make


def write_dicom(folder: Path) -> Path:
    import pydicom

    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
    data.Rows, data.Columns = IMAGE.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelSpacing, data.SliceThickness = [0.5, 0.25], 9.0
    data.ImageOrientationPatient, data.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 1.5]
    data.RescaleSlope, data.RescaleIntercept = 1, -1024
    data.PixelData = IMAGE.tobytes()
    data.save_as(folder / "a.dcm", enforce_file_format=True)
    return folder / "a.dcm"


def write_czi(folder: Path) -> Path:
    from pylibCZIrw import czi

    with czi.create_czi(str(folder / "a.czi")) as file:
        file.write(IMAGE[..., None], plane={"C": 0})
    return folder / "a.czi"


IMAGE = np.random.default_rng(0).integers(0, 200, (36, 32), dtype=np.uint8)


def write_genome(name: str, text: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_text(text)
        return folder / name

    return make


def write_bigwig(folder: Path) -> Path:
    import pybigtools

    rows = (("chr1", start, start + 5, float(start % 7)) for start in range(0, 900, 9))
    pybigtools.open(str(folder / "a.bw"), "w").write({"chr1": 1000}, rows)
    return folder / "a.bw"


def read_bigwig(path: Path) -> Any:
    from multiunet.domains.genome.bigwig import BigWig

    file = BigWig(path)
    return [file.bin_sums(name, 50) for name, length in list(file.lengths.items())[:3] if length < 1 << 22]


def read_fasta(path: Path) -> Any:
    from multiunet.domains.genome.fasta import read_fasta

    genome = read_fasta(path)
    return {name: np.asarray(genome.codes[name]).tobytes() for name in genome.lengths}


def read_fasta_plainly(path: Path) -> Any:
    from multiunet.domains.genome.sequence import CODE

    text = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    records = (b"\n" + text).split(b"\n>")[1:]
    parts = [record.partition(b"\n") for record in records]
    drop = b" \t\n"
    return {h.split()[0].decode("utf-8", "replace"): b.translate(None, drop).translate(CODE) for h, _, b in parts}


def write_npz(folder: Path) -> Path:
    synthetic.write_graph(folder, nodes=30)
    return folder / "graph.npz"


def read_npz(path: Path) -> Any:
    from multiunet.domains.graph.files.readers import read_graph
    from multiunet.domains.graph.files.tables import Columns

    graph = read_graph(path, Columns())
    return {"x": graph.x, "edge_index": graph.edges}


def read_npz_plainly(path: Path) -> Any:
    with np.load(path, allow_pickle=False) as file:
        return {"x": file["x"].astype(np.float32), "edge_index": file["edge_index"].astype(np.int64)}


GRAPHML = (
    '<?xml version="1.0"?><graphml xmlns="http://graphml.graphdrafts.org/xmlns">'
    '<key id="d" for="node" attr.name="x" attr.type="double"/><key id="l" for="node" attr.name="label" '
    'attr.type="int"/><graph edgedefault="undirected">'
    + "".join(f'<node id="n{i}"><data key="d">{i / 3}</data><data key="l">{i % 2}</data></node>' for i in range(9))
    + "".join(f'<edge source="n{i}" target="n{i + 1}"/>' for i in range(8))
    + "</graph></graphml>"
)


def read_smiles(path: Path) -> Any:
    from multiunet.domains.graph.files.molecules import molecule_graphs, parse_smiles

    with path.open("rb") as file:
        lines = file.read().decode("latin-1").split("\n")
    found = parse_smiles(path, lines, False, lambda row: f"line {row + 1}")
    return molecule_graphs(path, {str(row): molecule for row, molecule in found.items()}).x


def read_settings(path: Path) -> Any:
    from multiunet_cli.settings import resolve

    from multiunet.domains.spec import domain_spec

    return resolve(domain_spec("graph").train, path, None, {"graph": Path("g.npz")}) and None


def write_run(folder: Path) -> Path:
    import torch

    from multiunet.training.checkpoint import Checkpoint
    from multiunet.training.run_folder import RunFolder

    run = RunFolder.create(folder / "run", {"domain": "graph", "epochs": 3}, {"a": [1, 2]})
    run.log({"epoch": 1, "loss": 0.5})
    run.save_best(Checkpoint({"model.weight": torch.ones(3, 4)}, {"epoch": 1}))
    return run.path


def read_run(path: Path) -> Any:
    from multiunet.domains.runs import spec_of
    from multiunet.training.run_folder import RunFolder

    run = RunFolder.open(path)
    spec_of(run), run.dataset(), run.history(), run.read_status(), run.unfinished(), run.weights()


def lazily(module: str, name: str, *more: Any, whole: bool = False) -> Callable[[Path], Any]:
    """Return a reader of the package that is imported when it is first used."""

    def read(path: Path) -> Any:
        found = getattr(__import__(module, fromlist=[name]), name)(path, *more)
        return list(found) and None if whole else None

    return read


GENOME = "multiunet.domains.genome."
READERS: dict[str, Reader] = {
    "png": Reader(write_png, pixels),
    "tiff": Reader(write_tiff, pixels),
    "nifti": Reader(write_nifti, pixels),
    "hdf5": Reader(write_hdf5, pixels),
    "zarr": Reader(write_zarr, pixels),
    "mrc": Reader(of_tests("test_mrc", "write"), pixels),
    "dm3": Reader(of_tests("test_microscopy", "write_dm3", np.arange(480, dtype=np.uint16).reshape(20, 24)), pixels),
    "ser": Reader(of_tests("test_microscopy", "write_ser", np.arange(480, dtype=np.uint16).reshape(20, 24)), pixels),
    "emd": Reader(of_tests("test_microscopy", "write_emd", ["HAADF", "BF"]), pixels),
    "dicom": Reader(write_dicom, pixels),
    "czi": Reader(write_czi, pixels),
    "npz": Reader(write_npz, read_npz, read_npz_plainly),
    "graphml": Reader(write_genome("a.graphml", GRAPHML), read_npz),
    "smiles": Reader(
        write_genome("a.smi", "CCO\nc1ccccc1O\nCC(=O)[O-].[Na+]\nC/C=C\\C\nN[C@@H](C)C(=O)O"), read_smiles
    ),
    "csv": Reader(
        write_genome("a.csv", "x,y\n1,2\n3.5,4\n"), lazily("multiunet.domains.image.files.dots", "read_dots", (9, 9))
    ),
    "bigwig": Reader(write_bigwig, read_bigwig),
    "fasta": Reader(write_genome("a.fa", ">chr1 x\nACGTN\nACG\n>chr2\nGGTTA\n"), read_fasta, read_fasta_plainly),
    "gff": Reader(
        write_genome(
            "a.gff3", "##gff-version 3\nchr1\tx\tgene\t1\t50\t.\t+\t.\tID=a\nchr1\tx\texon\t5\t9\t.\t-\t.\t.\n"
        ),
        lazily(GENOME + "annotation.reading", "read_features", ("gene",)),
    ),
    "bed": Reader(
        write_genome("a.bed", "chr1\t0\t9\ta\nchr2\t5\t7\tb\n"), lazily(GENOME + "intervals", "read_intervals", "BED")
    ),
    "bedgraph": Reader(
        write_genome("a.bedGraph", "track x\nchr1\t0\t9\t1.5\nchr2\t5\t7\tNaN\n"),
        lazily(GENOME + "intervals", "read_intervals", "bedGraph"),
    ),
    "vcf": Reader(
        write_genome(
            "a.vcf",
            "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr1\t3\trs1\tA\tC,G\t.\tPASS\t.\n",
        ),
        lazily(GENOME + "variants.vcf", "iter_records", whole=True),
    ),
    "yaml": Reader(write_genome("a.yaml", "epochs: 3\nwidths: [8, 16]\nlr: 0.01\nskip: concat\n"), read_settings),
    "run": Reader(write_run, read_run),
}
"""By name; the seeds are small and whole."""


NEEDS = {"smiles": "rdkit", "dm3": "rsciio", "ser": "rsciio", "emd": "rsciio", "dicom": "pydicom", "czi": "bioio_czi"}
"""Packages of extras that readers need."""


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Return bytes with one to three changes: flips, extreme numbers, cuts, copies, and what is left out."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(max(1, len(data)))
        size = rng.choice((1, 2, 4, 8))
        kind = rng.randrange(7)
        if kind == 0 and data:
            data = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        elif kind == 1:
            number = rng.choice(EXTREMES) & (1 << 8 * size) - 1
            data = data[:at] + number.to_bytes(size, rng.choice(("little", "big"))) + data[at + size :]
        elif kind == 2:
            data = data[:at]
        elif kind == 3:
            data = data[:at] + data[at : at + rng.randrange(64)] * rng.randrange(1, 5) + data[at:]
        elif kind == 4:
            data = data[:at] + data[at + rng.randrange(64) :]
        elif kind == 5:
            data = data[:at] + rng.randbytes(size) + data[at + size :]
        else:
            word = rng.choice(
                (b"-1", b"1e400", b"nan", b"99999999999999999999", b"\0", b"../..", b"\xff\xfe", b'"', b"\n")
            )
            data = data[:at] + word + data[at:]
    return data


def spoil(seed: Path, folder: Path, rng: random.Random) -> Path:
    """Write a mutant of a seed into a folder; of a folder, one file is mutated."""
    mutant = folder / seed.name
    if seed.is_file():
        mutant.write_bytes(mutate(seed.read_bytes(), rng))
        return mutant
    shutil.copytree(seed, mutant)
    file = rng.choice(sorted(path for path in mutant.rglob("*") if path.is_file()))
    file.write_bytes(mutate(file.read_bytes(), rng))
    return mutant


def look(reader: Reader, mutant: Path) -> tuple[str, str]:
    """Read a mutant; return the outcome and, of a finding, what it is."""
    try:
        found = reader.read(mutant)
    except (InputError, RunError) as error:
        return ("refused", "") if mutant.name in str(error) else ("unnamed", str(error)[:300])
    except BaseException as error:
        return "traceback", "".join(traceback.format_exception(error)[-4:])[-600:]
    if reader.reference is None:
        return "read", ""
    try:
        expected = reader.reference(mutant)
    except Exception:
        return "read alone", ""
    same = found.keys() == expected.keys() and all(np.array_equal(found[k], expected[k]) for k in found)
    return ("read", "") if same else ("differs", f"{str(found)[:200]} != {str(expected)[:200]}")


def watch(name: str, seed: Path, number: int) -> tuple[str, str]:
    """Look at a mutant in a process of its own, with limits of time and memory."""
    there, here = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(there)
        sys.stdout = sys.stderr = io.StringIO()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + MOST, size + MOST))
        with tempfile.TemporaryDirectory() as folder:
            os.environ["XDG_CACHE_HOME"] = folder
            outcome = look(READERS[name], spoil(seed, Path(folder), random.Random(f"{name} {number}")))
        os.write(here, json.dumps(outcome).encode()[:60000])
        os._exit(0)
    os.close(here)
    try:
        if not select.select([there], [], [], HANG)[0]:
            os.kill(child, signal.SIGKILL)
            return "hang", f"over {HANG:g} s"
        content = os.read(there, 65536)
        return tuple(json.loads(content)) if content else ("died", "the process ended without a word")
    finally:
        os.close(there)
        os.waitpid(child, 0)


def fuzz(name: str, first: int, seconds: float, most: int, tally: Tally) -> int:
    """Fuzz a reader for some seconds, or so many mutants; return the number of the next."""
    with tempfile.TemporaryDirectory() as folder:
        seed = READERS[name].make(Path(folder))
        READERS[name].read(seed)  # the seed is whole; what is imported here is there in all children
        end, number = time.monotonic() + seconds, first
        while number < first + most and time.monotonic() < end:
            outcome, what = watch(name, seed, number)
            tally.counts[outcome] += 1
            if what:
                tally.findings.append(f"{name} --only {number}: {outcome}: {what}")
            number += 1
    return number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--reader", choices=list(READERS), action="append")
    parser.add_argument("--only", type=int)
    given = parser.parse_args()
    names = given.reader or list(READERS)
    for name in names:
        tally = Tally()
        first, most = (given.only, 1) if given.only is not None else (0, sys.maxsize)
        fuzz(name, first, given.seconds / len(names), most, tally)
        print(f"{name:10}", dict(tally.counts), flush=True)
        for finding in tally.findings:
            print("  ", finding.replace("\n", "\n    "), flush=True)


if __name__ == "__main__":
    main()
