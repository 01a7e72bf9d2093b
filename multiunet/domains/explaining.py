"""Explanation of a run: a page to play with, whose numbers are those of its own network and data."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from multiunet.domains.calibration import with_calibration
from multiunet.domains.config import checked
from multiunet.domains.remarks import no_remarks
from multiunet.domains.report.page import MOST_BYTES, TEMPLATES, render
from multiunet.domains.runs import all_runs, check_predicts, open_runs
from multiunet.domains.setting_types import Split
from multiunet.errors import InputError
from multiunet.files import AnyPath, check_file, make_parent, write_text
from multiunet.training.run_folder import RunFolder


def explain(
    path: AnyPath, out: AnyPath, split: Split = "test", item: str | None = None, overwrite: bool = False
) -> Path:
    """Write a page on how the network of a run predicts one image: its levels, skips, samples and scores.

    Args:
        path: of one run that predicts the classes of images or volumes.
        out: the HTML file.
        split: that the image is of; where it is empty, that of validation.
        item: name of the image; None: the first.

    Raises:
        InputError: for another run, an unknown image, or an ``out`` that exists.
    """
    out, folders = Path(out), all_runs(path)
    if len(folders) > 1:
        raise InputError(f"{path}: holds {len(folders)} folds; explain one of them, such as {folders[0]}")
    check_file(out, overwrite)
    runs = open_runs([RunFolder.open(folders[0])], device="cpu")
    check_predicts(runs)
    [run] = runs
    if run.spec.name != "image" or run.info.target.kind != "classes" or run.info.instances is not None:
        raise InputError(f"{path}: only runs that predict the classes of images or volumes can be explained")
    used: Split = split if run.info.split.of(split) else "val"
    known = run.domain.read(run.config, run.info, run.spec.evaluate(split=used)).items
    name = next(iter(known)) if item is None else item
    if name not in known:
        raise InputError(
            f"{name}: is not an image of the {used} split of {path}; there are {', '.join(list(known)[:5])}"
        )
    from multiunet.domains.image.explaining import explain_image  # of this domain alone

    with no_remarks():  # where there is no calibration of such predictions, evaluate has none either
        single = checked(run.spec.evaluate, {"split": used, "samples": 1, "tta_flips": False})
        run, _ = with_calibration(run, [folders[0]], single)
    content = explain_image(run.model, known[name])
    script = (TEMPLATES / "explain.js").read_text(encoding="utf-8")
    page = render(
        "explain.html.j2",
        script,
        title=f"How {Path(folders[0]).resolve().name} sees {name}",
        run=str(Path(folders[0]).resolve().name),
        item=name,
        split=used,
        version=version("multiunet"),
        **content,
    )
    if len(page.encode()) > MOST_BYTES:
        raise InputError(f"{name}: its page would be larger than {MOST_BYTES:,} bytes; explain another image")
    make_parent(out)
    write_text(out, page)
    return out
