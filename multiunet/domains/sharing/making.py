"""Archive of a trained run for others: weights, what prediction needs, and a model card."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from multiunet.domains.archive import write_archive
from multiunet.domains.calibration_file import FILE as CALIBRATION
from multiunet.domains.calibration_file import read_fits
from multiunet.domains.config import checked
from multiunet.domains.info import FILE as DATASET
from multiunet.domains.reading import reading
from multiunet.domains.runs import all_runs, open_runs
from multiunet.domains.score_file import find_epochs, read_scores
from multiunet.domains.sharing.card import Subject, write_card
from multiunet.domains.sharing.options import ShareOptions
from multiunet.domains.sharing.places import Places
from multiunet.domains.sharing.private import check_private, find_names
from multiunet.errors import InputError
from multiunet.files import AnyPath, check_file, make_parent
from multiunet.training.checkpoint import Checkpoint, pack
from multiunet.training.run_folder import SCORES, RunFolder
from multiunet.yaml_text import parse_yaml

CONFIG, ENVIRONMENT, STATUS, CARD = "config.yaml", "env.json", "STATUS", "README.md"

LOGS = ("metrics.jsonl", "metrics.csv")

WEIGHTS = ".safetensors"


def share(path: AnyPath, options: ShareOptions | Mapping[str, Any], out: AnyPath) -> list[str]:
    """Write a trained run, or the folds of one, into one archive for others; return the names in it.

    In it are the weights, the settings, the facts on the data, calibration, scores and log of the training, and a model
    card. Paths of this machine become places in the run's folder. Pictures, reports and what resumes a training are
    left out.

    Args:
        path: of the run, or of the folds of a cross-validation.
        out: the file to write, NAME.zip.

    Raises:
        InputError: for a bad run, an ``out`` that cannot be written, or where a user or machine would be named in it.
    """
    chosen, path, out = checked(ShareOptions, options), Path(path), Path(out)
    _check_out(out, chosen)
    files = _gather(path, chosen)
    make_parent(out)
    write_archive(out, files)
    return list(files)


@dataclass(frozen=True)
class Cleaned:
    """Texts of a run without what is private, by name in the archive.

    Attributes:
        names: of users and machines, which may stand in no text.
    """

    folders: Mapping[str, RunFolder]
    texts: Mapping[str, str]
    names: frozenset[str]


def make_card(path: AnyPath, options: ShareOptions) -> str:
    """Return the model card of a run, or of folds, as an archive has it.

    Raises:
        InputError: for a bad run, or where a user or machine would be named in it.
    """
    cleaned = _clean(Path(path), options)
    name = Path(path).resolve().name
    card = {CARD: cleaned.texts[f"{name}/{CARD}"]}
    check_private(card, cleaned.names, options.allow)
    return card[CARD]


def _gather(path: Path, options: ShareOptions) -> dict[str, bytes]:
    """Return the contents of all files, by name, after a look for what is private."""
    cleaned = _clean(path, options)
    weights = {
        f"{above}/checkpoints/{key}": value
        for above, one in cleaned.folders.items()
        for key, value in _weights(one).items()
    }
    headers = {key: _header(value) for key, value in weights.items()}
    check_private({**cleaned.texts, **headers}, cleaned.names, options.allow)
    return dict(sorted((weights | {key: text.encode() for key, text in cleaned.texts.items()}).items()))


def _clean(path: Path, options: ShareOptions) -> Cleaned:
    """Read the texts of a run, or of folds, and write its card, all without paths."""
    folders = [RunFolder.open(folder) for folder in all_runs(path)]
    for folder in folders:
        folder.check_idle()
    runs = open_runs(folders, device="cpu")
    name = path.resolve().name
    above = {name if folder.path == path else f"{name}/{folder.path.name}": folder for folder in folders}
    found = {f"{place}/{key}": text for place, one in above.items() for key, text in _read_all(one.path).items()}
    found |= {f"{name}/{key}": text for key, text in _read_all(path).items()}
    names = find_names([*found.values(), str(path.resolve())])
    places = Places(names)
    content = {key: _parse(key, text) for key, text in found.items()}
    for key, settings in content.items():
        if key.endswith(f"/{CONFIG}"):
            places.add_settings(settings)
    texts = {key: _format(key, places.rename(value)) for key, value in content.items()}
    texts |= {f"{place}/{STATUS}": re.split("[:;]", one.read_status())[0] + "\n" for place, one in above.items()}
    reports = read_scores(path, find_epochs(folders))
    card = write_card(Subject(name, runs, read_fits(path), reports, _first(texts)), options)
    return Cleaned(above, texts | {f"{name}/{CARD}": places.rename_text(card)}, names)


def _read_all(folder: Path) -> dict[str, str]:
    """Return the texts of a run's folder, or of that of folds, that prediction or a reader of the card needs."""
    names = (CONFIG, DATASET, ENVIRONMENT, CALIBRATION, SCORES, *LOGS)
    found: dict[str, str] = {}
    for name in names:
        if (folder / name).is_file():
            with reading(folder / name):
                found[name] = (folder / name).read_text(encoding="utf-8")
    return found


def _parse(name: str, text: str) -> Any:
    if name.endswith(f"/{CONFIG}"):
        return parse_yaml(text)
    with reading(name):
        content = json.loads(text) if name.endswith(".json") else text
    if name.endswith(f"/{ENVIRONMENT}") and isinstance(content, dict):
        content["platform"] = str(content.get("platform", "")).split("-")[0]  # the rest may name a kernel of one's own
    return content


def _format(name: str, content: Any) -> str:
    if name.endswith(f"/{CONFIG}"):
        text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        return text
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n" if name.endswith(".json") else str(content)


def _first(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of the run, or of the first fold."""
    settings = parse_yaml(next(text for name, text in sorted(texts.items()) if name.endswith(f"/{CONFIG}")))
    assert isinstance(settings, dict)
    return settings


def _weights(folder: RunFolder) -> dict[str, bytes]:
    """Return the best weights, those of the last epochs where they are kept, and the snapshots of averages."""
    tensors, best, _ = folder.weights()
    state = best or {"epoch": len(folder.history()), "scores": {}}
    found = {folder.best.name: pack(Checkpoint({f"model.{key}": value for key, value in tensors.items()}, state))}
    others = [*folder.kept.paths().values(), *folder.last.parent.glob(f"average-*{WEIGHTS}")]
    return found | {path.name: path.read_bytes() for path in others}


def _header(content: bytes) -> str:
    """Return the text at the begin of a file of weights."""
    return content[8 : 8 + int.from_bytes(content[:8], "little")].decode(errors="replace")


def _check_out(out: Path, options: ShareOptions) -> None:
    if out.suffix != ".zip":
        raise InputError(f"{out}: an archive is written; name it NAME.zip")
    check_file(out, options.overwrite)
