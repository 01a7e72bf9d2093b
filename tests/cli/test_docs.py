"""The commands of the README and of the pages run as they are written; training and sampling are cut short."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from multiunet_datasets import synthetic
from multiunet_datasets.variants import write_variants
from PIL import Image

from multiunet.domains import calibration, inference, predicting
from multiunet.domains.runs import Run

ROOT = Path(__file__).parents[2]
GUIDES = (
    "image",
    "multilabel",
    "generate",
    "restore",
    "translate",
    "genome",
    "several-genomes",
    "annotation",
    "variants",
    "graph",
    "graphs",
    "uncertainty",
    "attention",
    "report",
    "scaling",
)
PAGES = ["README.md", *(f"docs/{guide}.md" for guide in GUIDES)]

PAGELESS = "--no-report"
"""Its page has tests of its own."""

IMAGE = ("epochs=1", "steps_per_epoch=1", "patch_size=32", "widths=4,8", "memory_format=contiguous")
SHORT = {
    "image": [f"--set={setting}" for setting in IMAGE],
    "genome": ["--set", "epochs=1", "--set", "steps_per_epoch=1", "--set", "widths=4,8"],
    "graph": ["--set", "epochs=2"],
    "graphs": ["--set", "epochs=1", "--set", "widths=4,8"],
}


def commands(page: str) -> list[list[str]]:
    """The ``multiunet`` command lines of a page's bash blocks that name a domain."""
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [shlex.split(line) for block in blocks for line in block.splitlines()]
    own = [line[1:] for line in lines if line[:1] == ["multiunet"] and len(line) > 2]
    return [line for line in own if line[0] == "explain" or line[1] in SHORT]


def write_images() -> None:
    """Write images with masks, targets, tables and captions."""
    synthetic.write_polycrystal(Path(), images=6, size=64, grains=9)
    (Path() / "images").rename("micrographs")
    synthetic.write_polycrystal(Path() / "other", images=2, size=64, grains=9, seed=1)
    (Path() / "other/images").rename("new")
    shutil.copytree("new", "elsewhere")
    (Path() / "other/masks").rename("elsewhere-masks")
    stems = sorted(path.stem for path in Path("micrographs").iterdir())
    Path("splits.json").write_text(json.dumps({"Super1": {"train": stems[:3], "val": stems[3:5], "test": stems[5:]}}))
    rows = [f"micrographs/{stem}.png,masks/{stem}.png,{split}" for stem, split in zip(stems, ["train", "val", "test"])]
    Path("pairs.csv").write_text("\n".join(["image,mask,split", *rows]) + "\n")
    for place, kind in enumerate(("inside", "boundary")):
        Path(f"classes/{kind}").mkdir(parents=True)
        for stem in stems:
            mask = np.asarray(Image.open(f"masks/{stem}.png"))
            shifted = np.roll(mask, place, axis=1) == mask.min()
            Image.fromarray((255 * (shifted != bool(place))).astype(np.uint8)).save(f"classes/{kind}/{stem}.png")
    Path("height").mkdir()
    for stem in stems:
        tifffile.imwrite(f"height/{stem}.tif", np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32))
    numbered = {stem: np.unique(np.asarray(Image.open(f"grains/{stem}.png"))) for stem in stems}
    kinds = {stem: [f"{stem},{n},{'large' if n % 3 else 'small'}" for n in own if n] for stem, own in numbered.items()}
    rows = [row for own in kinds.values() for row in own]
    Path("grain-classes.csv").write_text("\n".join(["image,object,class", *rows]) + "\n")
    Path("dots").mkdir()
    for place, stem in enumerate(stems):
        Path(f"dots/{stem}.csv").write_text("x,y\n" + "".join(f"{7 * k},{5 * k + place}\n" for k in range(5 + place)))
    for table, words in (("label", ["ferritic", "martensitic"]), ("caption", ["fine grains", '"coarse, twinned"'])):
        rows = [f"{stem}.png,{words[place % 2]}" for place, stem in enumerate(stems)]
        Path(f"{table}s.csv").write_text("\n".join([f"image,{table}", *rows]) + "\n")
    for folder in ("coarse", "broken", "holes"):
        Path(folder).mkdir()
    shutil.copytree("micrographs", "clean")
    Path("noisy").mkdir()
    for place, stem in enumerate(stems):
        with Image.open(f"micrographs/{stem}.png") as picture:
            picture.resize((16, 16)).save(f"coarse/{stem}.png")
            noise = np.random.default_rng(place).normal(0, 10, (64, 64))
            Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8)).save(f"noisy/{stem}.png")
    shutil.copy(f"micrographs/{stems[0]}.png", "broken")
    hole = np.zeros((64, 64), np.uint8)
    hole[20:30, 20:30] = 255
    Image.fromarray(hole).save(f"holes/{stems[0]}.png")


def write_genomes() -> None:
    """Write genomes with signals, features and variants."""
    fasta, signal = synthetic.write_genome(Path() / "genome", chromosomes=5, length=40_000, bin_size=1000)
    names = dict(zip([f"chr{i + 1}" for i in range(5)], ["chrI", "chrII", "chrIV", "chrX", "chrV"]))
    for path, target in ((fasta, "genome.fa.gz"), (signal, "signal.bedGraph")):
        text = re.sub(r"chr\d+", lambda match: names[match.group()], path.read_text())
        Path(target).write_text(text)
    Path("genome.fa.gz").rename("genome.fa")
    with gzip.open("genome.fa.gz", "wt") as file:
        file.write(Path("genome.fa").read_text())
    synthetic.write_genome(Path() / "candida", chromosomes=3, length=40_000, bin_size=1000, seed=1)
    Path("genomes.tsv").write_text(
        "name\tfasta\ttargets\tval_chroms\ttest_chroms\torganism\tdose\n"
        "sc\tgenome.fa\ttiming=signal.bedGraph\tchrII\tchrIV\tyeast\t1\n"
        "ca\tcandida/genome.fa\ttiming=candida/signal.bedGraph\tchr2\tchr3\tcandida\t3\n"
    )
    write_variants("genome.fa", "calls.vcf", count=2)
    Path("gaps.fa").write_text(f">gap\n{'ACGT' * 9}{'N' * 20}{'GATC' * 9}\n")
    Path("genes.bed").write_text("chrI\t1000\t5000\tfirst\nchrIV\t0\t36000\twhole\n")
    kinds = [(place, kind, "+-"[place % 2]) for place in range(12) for kind in ("CDS", "tRNA")]
    rows = [f"{n}\tx\t{k}\t{2500 * p + 1}\t{2500 * p + 600}\t.\t{s}\t.\t." for n in names.values() for p, k, s in kinds]
    Path("genes.gff3").write_text("\n".join(rows) + "\n")


def write_graphs() -> None:
    """Write networks, sets of them, and molecules."""
    synthetic.write_graph(Path(), nodes=80).rename("cora.npz")
    graph = np.load("cora.npz", allow_pickle=False)
    Path("network").mkdir()
    edges = "\n".join(f"n{a},n{b}" for a, b in graph["edge_index"].T)
    Path("network/edges.csv").write_text(f"source,target\n{edges}\n")
    rows = [",".join([f"n{i}", *map(str, x), f"kind{y}"]) for i, (x, y) in enumerate(zip(graph["x"], graph["y"]))]
    header = ",".join(["id", *(f"f{i}" for i in range(graph["x"].shape[1])), "label"])
    Path("network/nodes.csv").write_text("\n".join([header, *rows]) + "\n")
    shutil.copytree("network", "other-network")
    Path("other-network/nodes.csv").write_text("\n".join([header, *reversed(rows)]) + "\n")  # other edges
    shutil.copytree("network", "roads")
    lines = Path("roads/edges.csv").read_text().splitlines()
    kinds = [f"{line},1.5,{['road', 'rail', ''][row % 3]},{row}" for row, line in enumerate(lines[1:])]
    Path("roads/edges.csv").write_text("\n".join([f"{lines[0]},weight,kind,length", *kinds]) + "\n")
    synthetic.write_graph_set(Path(), 40).rename("proteins.npz")
    Path("networks").mkdir()
    for place in range(12):
        shutil.copytree("network", f"networks/n{place}")
        nodes = Path(f"networks/n{place}/nodes.csv")
        nodes.write_text("\n".join(line.rpartition(",")[0] for line in nodes.read_text().splitlines()) + "\n")
    Path("networks/labels.csv").write_text("id,label\n" + "".join(f"n{place},{place % 2}\n" for place in range(12)))
    chains = [f"{'C' * n}{end}" for n in range(1, 8) for end in ("", "O", "N", "Cl")]
    Path("solubility.csv").write_text("smiles,logS\n" + "".join(f"{one},{len(one) / 3}\n" for one in chains))
    Path("measured.csv").write_text("smiles,measured\nCCCCI,1.5\nCCBr,2\n")
    Path("new.csv").write_text("smiles,id\nCCO,ethanol\n")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the files that the pages speak of."""
    monkeypatch.chdir(tmp_path)
    write_images()
    write_genomes()
    write_graphs()


@pytest.fixture
def two_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a network with dropout two samples are taken, not sixteen, where a command does not say how many."""
    settle, samplings = predicting.settle_samples, calibration._samplings

    def few(options: Any, run: Run) -> Any:
        settled = settle(options, run)
        return settled.model_copy(update={"samples": 2 if settled.samples == 16 else settled.samples})

    for module in (inference, predicting):
        monkeypatch.setattr(module, "settle_samples", few)
    monkeypatch.setattr(calibration, "_samplings", lambda *given: [2 if n == 16 else n for n in samplings(*given)])


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("files", "two_samples")
def test_commands_of_the_page_run(page: str, multiunet: Callable) -> None:
    if page in ("README.md", "docs/graphs.md"):
        pytest.importorskip("rdkit")
    lines = commands(page)
    assert len(lines) >= 3
    if find_spec("captum") is None:
        lines = [line for line in lines if line[0] != "attribute"]
    for line in lines:
        short = SHORT.get(line[1], [])
        shorter = {"train": [*short, PAGELESS], "plan": short, "sample": ["--set", "steps=1"]}
        coded = ["--set", "latent_epochs=1"] if "--latent" in line else []
        done = multiunet(*line, *shorter.get(line[0], []), *coded)
        assert done.code == 0, (line, done.err)
