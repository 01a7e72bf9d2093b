"""Export of trained runs to one file that runs without this program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from multiunet.core.receptive_field import receptive_field
from multiunet.domains.calibration import with_calibration
from multiunet.domains.config import EvaluateOptions, checked
from multiunet.domains.portable.bioimage import About, with_own_moments, write_package
from multiunet.domains.portable.files import WRITERS, check_installed
from multiunet.domains.portable.options import ExportOptions
from multiunet.domains.portable.tracing import trace
from multiunet.domains.runs import Run, all_runs, join_runs, open_runs, spec_of
from multiunet.domains.sharing.making import make_card
from multiunet.domains.sharing.options import ShareOptions
from multiunet.errors import InputError
from multiunet.files import AnyPath, as_paths, check_file, make_parent
from multiunet.prediction.ensemble import members
from multiunet.prediction.portable import PortableModel
from multiunet.prediction.run import is_per_name
from multiunet.training.run_folder import RunFolder

OF_SOME = {"tta_flips": "mirrored views", "genome": "several genomes", "condition": "conditions"}
"""Settings of an export that runs of some domains have, and what these are about."""


def export(
    path: AnyPath | Sequence[AnyPath], options: ExportOptions | Mapping[str, Any], out: AnyPath
) -> Mapping[str, Any]:
    """Export a trained run to one file for raw inputs of any size; return what it says of itself.

    The file holds all that ``predict`` with ``samples=1`` does to a tile: standardisation, network, mirrored views,
    probabilities or quantities in the target's units with their variances, and the calibration.

    Args:
        path: of the run; several, or the folds of a cross-validation, are an ensemble.
        out: the file to write, NAME.onnx, NAME.pt2, or NAME.zip of `to=bioimageio`.

    Raises:
        InputError: for a bad run, one that cannot be exported, or an ``out`` that cannot be written.
    """
    chosen, out = checked(ExportOptions, options), Path(out)
    _check_out(out, chosen)
    check_installed(chosen.to)
    run = _open(path, chosen)
    ways = _ways(chosen, run)
    named = ", ".join(map(str, as_paths(path)))
    run, fit = with_calibration(run, [*as_paths(path), *all_runs(path)], ways, named)
    model = run.domain.portable(run.model, run.config, run.info, ways)
    if chosen.to == "bioimageio":
        model = with_own_moments(model)
    facts = describe(run, model, calibrated=fit is not None)
    make_parent(out)
    if chosen.to == "bioimageio":
        assert model.make_example is not None  # of images, as has been checked
        about, example = _about(as_paths(path)[0], run, chosen), model.make_example(chosen.sample)
        write_package(model, trace(model), facts, about, example, out)
    else:
        WRITERS[chosen.to](trace(model), model, facts, out)
    return facts


def _ways(chosen: ExportOptions, run: Run) -> EvaluateOptions:
    """Return the settings of an evaluation that predicts as the file is to do."""
    settings = {"samples": 1, "checkpoints": chosen.checkpoints, "raw": chosen.raw, "device": "cpu"}
    for name, what in OF_SOME.items():
        value = getattr(chosen, name)
        if value is None or value == []:
            continue
        if name not in run.spec.evaluate.model_fields:
            raise InputError(f"`{name}`: {run.spec.name} runs have no {what}; leave it out")
        settings[name] = value
    return checked(run.spec.evaluate, settings)


def _about(path: Path, run: Run, options: ExportOptions) -> About:
    """Return name, card and authors of a package."""
    words = ShareOptions(license=options.license, authors=options.authors, allow=options.allow)
    card = make_card(path, words)
    name = path.resolve().name
    said = f"A U-Net for {run.task.kind} of images: {', '.join(run.task.names)}"
    return About(name, said, card, options.authors, options.license)


def describe(run: Run, model: PortableModel, calibrated: bool) -> dict[str, Any]:
    """Return what a file says of itself, plain JSON: how to feed it, how to tile it, what comes out."""
    seen = receptive_field(model.module.net)
    return {
        "version": version("multiunet"),
        "domain": run.spec.name,
        "task": run.task.kind,
        "names": list(run.task.names),
        "inputs": {given.name: list(given.axes) for given in model.inputs},
        "outputs": {
            name: [axis for axis in model.output_axes if name != "class" or axis in _axes_of_class(model)]
            for name in model.outputs
        },
        "halo": list(seen.radius),
        "tile_stride": list(seen.tile_stride),
        "output_stride": list(seen.output_stride),
        "both_ends": seen.both_ends,
        "exact_tiles": seen.exact,
        "calibrated": calibrated,
        "members": len(members(model.module.net)),
        **model.facts,
    }


def _axes_of_class(model: PortableModel) -> tuple[str, ...]:
    """Return the axes of ``class``: independent labels have an answer each, classes one for all."""
    several = is_per_name(model.module.task)
    return model.output_axes if several else (model.output_axes[0], *model.output_axes[2:])


def _open(path: AnyPath | Sequence[AnyPath], chosen: ExportOptions) -> Run:
    folders = [RunFolder.open(run) for run in all_runs(path)]
    runs = open_runs(folders, spec_of(folders[0]).name, "cpu", chosen.checkpoints)
    for run in runs:
        if run.task.kind == "generation":
            raise InputError(
                f"{run.folder.path}: makes new samples (`task=generate`), in many steps that no single file holds; "
                "only runs that predict can be exported"
            )
    return join_runs(runs)


def _check_out(out: Path, chosen: ExportOptions) -> None:
    ending = "zip" if chosen.to == "bioimageio" else chosen.to
    if out.suffix != f".{ending}":
        raise InputError(f"{out}: `to={chosen.to}` writes a file NAME.{ending}; name it so")
    check_file(out, chosen.overwrite)
