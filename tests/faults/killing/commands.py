"""Commands that are killed, of all domains, on data and networks as small as can be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Command:
    """Command lines that are run, killed, and run again.

    Attributes:
        lines: command lines, one after the other.
        again: what is added to a line that was killed.
        needs: commands whose results it finds; of their folders a copy.
        starts: whether it starts processes that must import torch, which takes seconds; it is drawn less often.
    """

    name: str
    lines: tuple[str, ...]
    again: str = ""
    needs: str | None = None
    starts: bool = False


def write_data(folder: Path) -> None:
    """Write the data of all domains."""
    import numpy as np
    from multiunet_datasets import synthetic
    from PIL import Image

    synthetic.write_polycrystal(folder / "image", images=6, size=32, grains=5)
    synthetic.write_genome(folder / "genome", chromosomes=4, length=4000)
    synthetic.write_graph(folder / "graph", nodes=80)
    synthetic.write_graph_set(folder / "graphs", count=30)
    (folder / "small").mkdir()
    (folder / "few").mkdir()
    for number, path in enumerate(sorted((folder / "image/images").iterdir())[:3]):
        Image.fromarray(np.asarray(Image.open(path))[:16, :16]).save(folder / "small" / f"s{number}.png")
        if number < 2:
            (folder / "few" / path.name).write_bytes(path.read_bytes())
    lines = (folder / "genome/genome.fa").read_text().splitlines()
    bases = [(place, lines[1][place]) for place in (5, 20, 31, 50)]
    rows = [f"chr1\t{at + 1}\t.\t{base}\t{'A' if base != 'A' else 'C'}\t.\t.\t." for at, base in bases]
    text = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    (folder / "variants.vcf").write_text(text + "\n".join(rows) + "\n")


# without `--memory-format` the faster way is found out by the clock, on each machine and in each run anew
SHORT = "--seed 1 --precision 32"

IMAGE = (
    "train image --images data/image/images --masks data/image/masks --widths 4,8 --patch-size 16 --batch-size 2 "
    "--memory-format contiguous"
)
GENOME = (
    "train genome --fasta data/genome/genome.fa --targets data/genome/signal.bedGraph --val-chroms chr3 "
    "--test-chroms chr4 --bin-size 50 --window 32 --widths 4,8 --batch-size 2 --memory-format contiguous"
)
GRAPH = "train graph --graph data/graph/graph.npz --widths 8,8"
GRAPHS = "train graphs --graphs data/graphs/graphs.npz --widths 4,8 --batch-size 4"
NEW = "--samples 2 --device cpu"


def trained(name: str, line: str, starts: bool = False) -> Command:
    """Return a training, which goes on by ``--resume auto``."""
    alone = "," not in name  # what follows the training, too
    page = "" if alone else " --no-report" if "generator" in name else " --no-report --no-calibrate"
    return Command(name, (f"{line} --out run --device cpu{page}",), "--resume auto", starts=starts)


def of_run(verb: str, domain: str, more: str = "") -> Command:
    """Return a command that a trained run is asked by."""
    return Command(f"{verb} {domain}", (f"{verb} {domain} --run run{more} {NEW}",), "", f"train {domain}")


COMMANDS = [
    trained("train image", f"{IMAGE} --dropout 0.5 --epochs 2 --steps-per-epoch 3 {SHORT}"),
    trained(
        "train image, accumulation, patience, last epochs",
        f"{IMAGE} --accumulate 2 --patience 1 --keep-last 2 --epochs 4 --steps-per-epoch 2 {SHORT}",
    ),
    trained("train image, bf16", f"{IMAGE} --epochs 2 --steps-per-epoch 3 --seed 1 --precision bf16"),
    trained("train image, power averages", f"{IMAGE} --power-averages 0.05,0.1 --epochs 2 --steps-per-epoch 4 {SHORT}"),
    trained("train image, folds", f"{IMAGE} --folds 2 --epochs 2 --steps-per-epoch 2 {SHORT}"),
    trained("train image, workers", f"{IMAGE} --workers 1 --epochs 2 --steps-per-epoch 3 {SHORT}", starts=True),
    trained("train image, two processes", f"{IMAGE} --devices 2 --epochs 3 --steps-per-epoch 3 {SHORT}", starts=True),
    trained(
        "train image, generator in latents",
        "train image --task generate --images data/small --latent 2 --latent-epochs 2 --widths 4,8 --epochs 2 "
        f"--steps-per-epoch 2 --batch-size 2 --val-fraction 0.34 --memory-format contiguous {SHORT}",
    ),
    Command(
        "predict image",
        (f"predict image --run run --images data/few --out p.zarr --tile-size 16 --export files {NEW}",),
        "--resume",
        "train image",
    ),
    Command(
        "predict image, over an older one",
        (f"predict image --run run --images data/few --out p.zarr --overwrite --seed 3 {NEW}",),
        "--resume",
        "predict image",
    ),
    Command(
        "predict image, parts",
        tuple(
            f"predict image --run run --images data/few --out p.zarr --tile-size 16 {NEW} --part {part}/3"
            for part in (2, 3, 1)
        ),
        "",
        "train image",
    ),
    of_run("evaluate", "image", " --json"),
    of_run("calibrate", "image"),
    Command(
        "sample image",
        ("sample image --run run --out s.zarr --count 3 --steps 3 --size 24 --export sheets --device cpu",),
        "",
        "train image, generator",
    ),
    trained(
        "train image, generator",
        "train image --task generate --images data/small --widths 4,8 --epochs 2 --steps-per-epoch 2 --batch-size 2 "
        f"--val-fraction 0.34 --sample-every 1 --memory-format contiguous {SHORT}",
    ),
    Command("export", ("export --run run --to pt2 --out network.pt2",), "", "train image"),
    Command("share", ("share --run run --out shared.zip",), "", "train image"),
    trained("train genome", f"{GENOME} --epochs 2 --steps-per-epoch 3 {SHORT}"),
    trained("train genome, two processes", f"{GENOME} --devices 2 --epochs 2 --steps-per-epoch 3 {SHORT}", starts=True),
    Command(
        "predict genome", (f"predict genome --run run --out p.zarr --export tracks {NEW}",), "--resume", "train genome"
    ),
    Command(
        "predict genome, parts",
        tuple(f"predict genome --run run --out p.zarr {NEW} --part {part}/2" for part in (2, 1)),
        "",
        "train genome",
    ),
    of_run("evaluate", "genome", " --json"),
    of_run("calibrate", "genome"),
    Command(
        "variants genome",
        (f"variants genome --run run --vcf data/variants.vcf --out scores.tsv {NEW}",),
        "",
        "train genome",
    ),
    trained(
        "train genome, generator",
        "train genome --task generate --fasta data/genome/genome.fa --val-chroms chr3 --test-chroms chr4 --window 64 "
        f"--widths 8,12 --epochs 2 --steps-per-epoch 2 --batch-size 2 --memory-format contiguous {SHORT}",
    ),
    Command(
        "sample genome",
        ("sample genome --run run --out s.fa --count 4 --length 96 --steps 6 --device cpu",),
        "",
        "train genome, generator",
    ),
    trained("train graph", f"{GRAPH} --epochs 4 {SHORT}"),
    trained("train graph, parts", f"{GRAPH} --batch-nodes 30 --epochs 3 --patience 2 --ema 0.9 {SHORT}"),
    of_run("predict", "graph", " --out p.zarr --export tables"),
    Command(
        "predict graph, layer by layer",
        (f"predict graph --run run --out p.zarr --part-nodes 30 {NEW}",),
        "",
        "train graph",
    ),
    of_run("evaluate", "graph", " --part-nodes 30 --json"),
    of_run("calibrate", "graph"),
    trained("train graphs", f"{GRAPHS} --epochs 2 --steps-per-epoch 4 {SHORT}"),
    of_run("predict", "graphs", " --out p.zarr --export tables"),
    of_run("evaluate", "graphs", " --json"),
    of_run("calibrate", "graphs"),
]
