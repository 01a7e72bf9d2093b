from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import zarr
from PIL import Image

from multiunet.domains import inference, sampling, unfinished
from multiunet.domains.remarks import remark
from multiunet.errors import InputError
from multiunet.prediction import open_prediction
from multiunet.progress import Progress
from multiunet.training.checkpoint import load
from tests.domains.image.generation.conftest import MakeRun

QUICK = {"count": 2, "steps": 3, "device": "cpu"}


def test_samples_have_the_images_numbers_and_their_spread_is_aleatoric(make_run: MakeRun, tmp_path: Path) -> None:
    options = {**QUICK, "export": tmp_path / "files"}
    store, *files = sampling.sample(make_run(), options, tmp_path / "s.zarr", progress=Progress())
    assert store == tmp_path / "s.zarr"
    data = open_prediction(tmp_path / "s.zarr")["sample"]
    samples = data["samples"].values
    assert samples.shape == (2, 1, 20, 24)
    np.testing.assert_allclose(data["mean"], samples.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(data["aleatoric"], samples.var(axis=0), rtol=1e-4, atol=1e-6)
    assert not data["epistemic"].any()
    np.testing.assert_array_equal(data["total"], data["aleatoric"])
    assert sorted(path.name for path in files) == ["contact_sheet.png", "sample_000.png", "sample_001.png"]
    pixels = np.asarray(Image.open(tmp_path / "files" / "sample_001.png"))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, np.rint(samples[1, 0]).clip(0, 255))


def test_one_sample_has_no_variance(make_run: MakeRun, tmp_path: Path) -> None:
    sampling.sample(make_run(), {**QUICK, "count": 1}, tmp_path / "s.zarr", progress=Progress())
    data = open_prediction(tmp_path / "s.zarr")["sample"]
    np.testing.assert_array_equal(data["mean"], data["samples"][0])
    assert np.isnan(data["total"]).all()


def test_tiles_of_any_size_make_the_sample_of_the_whole(make_run: MakeRun, tmp_path: Path) -> None:
    found = []
    for side in (1000, 16):
        options = {**QUICK, "count": 1, "steps": 18, "size": [25, 38], "tile_size": side}
        out = tmp_path / f"{side}.zarr"
        sampling.sample(make_run(), options, out, progress=Progress())
        found.append(open_prediction(out)["sample"]["samples"].values)
    scale = found[0].std()
    for tiled in found[1:]:
        np.testing.assert_allclose(tiled / scale, found[0] / scale, atol=1e-4)


class Interrupted(Progress):
    """Progress that ends the process, as it were, after so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def update_tiles(self, done: int, count: int, noun: str = "") -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("sampler", "seconds"), [("dpm++2m", -1.0), ("ancestral", unfinished.SAVE_SECONDS)])
def test_interrupted_samples_go_on_with_the_same_bits(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampler: str, seconds: float
) -> None:
    monkeypatch.setattr(unfinished, "SAVE_SECONDS", seconds)  # an interrupt saves at once
    monkeypatch.setattr("multiunet.domains.image.generation.making.MOST_SAMPLES", 1)
    options = {**QUICK, "steps": 4, "sampler": sampler}
    sampling.sample(make_run(), options, tmp_path / "whole.zarr", progress=Progress())
    out = tmp_path / "s.zarr"
    for steps in (2, 4):
        with pytest.raises(KeyboardInterrupt):
            sampling.sample(make_run(), options, out, progress=Interrupted(steps))
        assert load(tmp_path / ".s.zarr.unfinished" / "state.safetensors").state["done"] == 2
    assert not out.exists()
    with pytest.raises(InputError, match=r"unfinished samples of other settings"):
        sampling.sample(make_run(), {**options, "seed": 1}, out, progress=Progress())
    sampling.sample(make_run(), options, out, progress=Progress())
    one, other = (open_prediction(path)["sample"]["samples"].values for path in (out, tmp_path / "whole.zarr"))
    np.testing.assert_array_equal(one, other)
    assert [path.name for path in tmp_path.iterdir() if "unfinished" in path.name] == []


def test_labels_make_a_group_each_with_the_same_noise(make_run: MakeRun, shapes: Path, tmp_path: Path) -> None:
    run = make_run(labels=shapes / "labels.csv")
    options = {**QUICK, "label": "disc,ring", "guidance": 2.0, "guidance_below": 5.0}
    sampling.sample(run, options, tmp_path / "s.zarr", progress=Progress())
    assert list(open_prediction(tmp_path / "s.zarr")) == ["label-disc", "label-ring"]
    with pytest.raises(InputError, match="`label=square`: no training image has it; there are disc, ring"):
        sampling.sample(run, {"label": "square"}, tmp_path / "x.zarr")
    with pytest.raises(InputError, match="neither is given"):
        sampling.sample(run, {"guidance": 2.0}, tmp_path / "x.zarr")
    with pytest.raises(InputError, match="label"):
        sampling.sample(run, {"label": ""}, tmp_path / "x.zarr")
    assert not (tmp_path / "x.zarr").exists()


def test_labels_that_are_no_names_of_files_are_written(make_run: MakeRun, shapes: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text((shapes / "labels.csv").read_text().replace("disc", "disc/round"))
    run = make_run(labels=labels)
    options = {**QUICK, "count": 1, "label": "disc/round", "export": tmp_path / "files"}
    _, *files = sampling.sample(run, options, tmp_path / "s.zarr", progress=Progress())
    assert [path.name for path in files] == ["label-disc%2Fround_000.png", "contact_sheet.png"]
    assert all(path.is_file() for path in files)


def test_captions_are_read_by_their_words(make_run: MakeRun, shapes: Path, tmp_path: Path) -> None:
    run = make_run(captions=shapes / "captions.csv", attention="window", steps_per_epoch=4)
    options = {**QUICK, "count": 1, "guidance": 3.0, "export": tmp_path / "files"}
    _, *files = sampling.sample(run, {**options, "caption": ["Grey disc", "a ring, on grey"]}, tmp_path / "s.zarr")
    stored = open_prediction(tmp_path / "s.zarr")
    one, other = (stored[name]["samples"].values for name in ("caption-grey-disc", "caption-a-ring-on-grey"))
    assert not np.array_equal(one, other)
    assert stored["caption-a-ring-on-grey"].attrs["caption"] == "a ring, on grey"
    # in the order in which they were asked for, not by name
    assert [path.stem for path in files] == ["caption-grey-disc_000", "caption-a-ring-on-grey_000", "contact_sheet"]
    with pytest.raises(InputError, match="no training caption has the word square; it may use a, disc, grey, on, ring"):
        sampling.check_sample(run, {"caption": "a square"}, tmp_path / "x.zarr")
    with pytest.raises(InputError, match=r"trained with words, and a \.npy is for runs of embeddings"):
        sampling.check_sample(run, {"caption": "new.npy"}, tmp_path / "x.zarr")
    with pytest.raises(InputError, match="has 5 words, and the longest training caption 4"):
        sampling.check_sample(run, {"caption": "a ring on a disc"}, tmp_path / "x.zarr")


@pytest.mark.parametrize("shape", [(3,), (2, 3)])
def test_embeddings_of_ones_own_are_read(make_run: MakeRun, tmp_path: Path, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    for number in range(6):
        np.save(tmp_path / f"i{number}.npy", rng.normal(size=shape))
    run = make_run(captions=tmp_path, steps_per_epoch=4)
    options = {**QUICK, "count": 1, "caption": [str(tmp_path / f"i{number}.npy") for number in (0, 1)], "guidance": 5.0}
    sampling.sample(run, options, tmp_path / "s.zarr", progress=Progress())
    stored = open_prediction(tmp_path / "s.zarr")
    one, other = (stored[f"caption-i{number}"]["samples"].values for number in (0, 1))
    assert not np.array_equal(one, other)
    np.save(tmp_path / "wide.npy", np.zeros((*shape[:-1], 5)))
    for caption, words in (("a disc", "no such file"), (str(tmp_path / "wide.npy"), "make it the same way")):
        with pytest.raises(InputError, match=words):
            sampling.check_sample(run, {"caption": caption}, tmp_path / "x.zarr")


def test_images_from_maps_of_classes(make_run: MakeRun, shapes: Path, tmp_path: Path) -> None:
    run = make_run(masks=shapes / "masks")
    options = {**QUICK, "count": 1, "masks": shapes / "masks" / "i1.png"}
    sampling.sample(run, options, tmp_path / "s.zarr", progress=Progress())
    assert open_prediction(tmp_path / "s.zarr")["i1"]["samples"].shape == (1, 1, 20, 24)
    with pytest.raises(InputError, match="makes images from `masks`"):
        sampling.sample(run, QUICK, tmp_path / "x.zarr")
    Image.fromarray(np.full((20, 24), 7, np.uint8)).save(tmp_path / "strange.png")
    with pytest.raises(InputError, match="value 7"):
        sampling.sample(run, {**QUICK, "masks": tmp_path / "strange.png"}, tmp_path / "x.zarr", progress=Progress())


def test_images_from_smaller_ones(make_run: MakeRun, shapes: Path, tmp_path: Path) -> None:
    run = make_run(given=shapes / "small")
    options = {**QUICK, "count": 1, "given": shapes / "small" / "i1.png"}
    sampling.sample(run, options, tmp_path / "s.zarr", progress=Progress())
    assert open_prediction(tmp_path / "s.zarr")["i1"]["samples"].shape == (1, 1, 20, 24)


def test_holes_are_filled_and_all_else_is_kept(make_run: MakeRun, shapes: Path, tmp_path: Path) -> None:
    holes = np.zeros((20, 24), np.uint8)
    holes[8:12, 8:12] = 1
    image = shapes / "images" / "i2.png"
    for folder, mask in (("some", holes), ("none", 0 * holes), ("all", 0 * holes + 1), ("small", holes[:5])):
        (tmp_path / folder).mkdir()
        Image.fromarray(mask).save(tmp_path / folder / "i2.png")
    options = {**QUICK, "inpaint": image, "turns": 2}
    sampling.sample(make_run(), {**options, "holes": tmp_path / "some"}, tmp_path / "s.zarr", progress=Progress())
    samples = open_prediction(tmp_path / "s.zarr")["i2"]["samples"].values[:, 0]
    original = np.asarray(Image.open(image)).astype(np.float32)
    np.testing.assert_array_equal(samples[:, holes == 0], np.stack([original[holes == 0]] * 2))
    assert (samples[:, holes == 1] != original[holes == 1]).all()
    for folder, words in (("none", "nothing to fill in"), ("all", "covers the whole image"), ("small", "is 5 x 24")):
        with pytest.raises(InputError, match=words):
            sampling.sample(make_run(), {**options, "holes": tmp_path / folder}, tmp_path / "x.zarr")


def test_files_that_lack_their_partner_are_named_by_their_settings(
    make_run: MakeRun, shapes: Path, tmp_path: Path
) -> None:
    (tmp_path / "holes").mkdir()
    Image.fromarray(np.eye(20, 24, dtype=np.uint8)).save(tmp_path / "holes" / "i2.png")
    options = {"inpaint": shapes / "images", "holes": tmp_path / "holes"}
    with pytest.raises(InputError, match=r"no file of `holes` for 5 of the 6 files of `inpaint` in") as caught:
        sampling.check_sample(make_run(), options, tmp_path / "x.zarr")
    assert "CSV" not in str(caught.value)
    assert "`images`" not in str(caught.value)
    colours = np.random.default_rng(0).integers(0, 255, (10, 12, 3)).astype(np.uint8)
    Image.fromarray(colours).save(tmp_path / "colours.png")
    with pytest.raises(InputError, match=r"3 channels, but the `given` images of the training have 1"):
        sampling.check_sample(
            make_run(given=shapes / "small"), {"given": tmp_path / "colours.png"}, tmp_path / "x.zarr"
        )


def test_attention_to_more_than_in_training_is_warned_of(
    make_run: MakeRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    remark.cache_clear()
    run, options = make_run(attention="full"), {**QUICK, "count": 1, "steps": 1}
    sampling.sample(run, options, tmp_path / "s.zarr", progress=Progress())
    assert not caplog.text
    sampling.sample(run, {**options, "size": [40, 24]}, tmp_path / "l.zarr", progress=Progress())
    assert "240 sites attend to each other at once, and in training these were 120" in caplog.text
    assert "seams" not in caplog.text
    # 2,500 sites would attend: a tile has about 1,024 at most, whatever the memory
    sampling.sample(run, {**options, "size": [100]}, tmp_path / "t.zarr", progress=Progress())
    assert "made of 4 tiles, each of which attends to its own sites" in caplog.text


def test_too_little_memory_is_said_as_it_was_given(make_run: MakeRun, tmp_path: Path) -> None:
    options = {"memory": 1_000_000, "size": [32], "device": "cpu"}
    with pytest.raises(InputError, match=r"`memory=1 MB`: the program alone takes"):
        sampling.sample(make_run(), options, tmp_path / "x.zarr", progress=Progress())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"guidance": 2.0}, "this run has never seen one"),
        ({"guidance_below": 2.0}, "say where guidance counts; give `guidance`, too"),
        ({"guidance": 2.0, "guidance_above": 3.0, "guidance_below": 2.0}, "guidance would count at no level"),
        ({"label": "7"}, "trained without `labels`"),
        ({"caption": "a ring"}, "trained without `captions`"),
        ({"size": [1, 40]}, "smaller than a site of the network's coarsest level, 2 x 2"),
        ({"size": [1, 2, 3]}, "one for each axis y, x"),
        ({"holes": "x"}, "give both, or neither"),
        ({"inpaint": "x", "holes": "x", "size": [8]}, "leave it out"),
    ],
)
def test_what_cannot_be_sampled_is_refused(make_run: MakeRun, tmp_path: Path, options: dict, words: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(InputError, match=words):
        sampling.check_sample(make_run(), options, tmp_path / "s.zarr")


def test_a_generator_predicts_nothing_and_names_the_command(make_run: MakeRun, shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run `multiunet sample image`"):
        inference.predict(make_run(), {"images": shapes / "images"}, tmp_path / "p.zarr")


def test_samples_do_not_depend_on_how_many_are_made_at_once(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampling.sample(make_run(), {**QUICK, "count": 3}, tmp_path / "many.zarr", progress=Progress())
    monkeypatch.setattr("multiunet.domains.image.generation.making.MOST_SAMPLES", 1)
    sampling.sample(make_run(), {**QUICK, "count": 1}, tmp_path / "one.zarr", progress=Progress())
    many, one = (open_prediction(tmp_path / f"{name}.zarr")["sample"]["samples"][0] for name in ("many", "one"))
    torch.testing.assert_close(torch.tensor(many.values), torch.tensor(one.values), rtol=1e-4, atol=1e-2)


def test_images_to_start_from_stay_the_more_the_less_the_strength(
    make_run: MakeRun, shapes: Path, tmp_path: Path
) -> None:
    original = np.asarray(Image.open(shapes / "images" / "i1.png"), np.float32)
    apart = []
    for strength in (0.1, 1.0):
        options = {**QUICK, "steps": 10, "start": shapes / "images" / "i1.png", "strength": strength}
        sampling.sample(make_run(), options, tmp_path / f"{strength}.zarr", progress=Progress())
        data = open_prediction(tmp_path / f"{strength}.zarr")["i1"]
        assert data["samples"].shape == (2, 1, *original.shape)
        assert data.attrs["start"] == "i1.png"
        apart.append(float(np.abs(data["samples"].values - original).mean()))
    assert apart[0] < 1 < apart[1]  # grey levels; the last of ten steps begins at a noise of 0.002


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strength": 0.5}, "`strength` says how much of `start` changes"),
        ({"start": "images", "inpaint": "images", "holes": "masks"}, "give one of them"),
        ({"start": "images", "size": [8]}, "as large as those of `start`"),
        ({"start": "images", "strength": 0}, "must be more than 0"),
        ({"guidance": "1,-2"}, "from 0 to 100"),
        ({"average": 0.5}, "must be 0.28 or less"),
        ({"average": 0.1}, "no snapshots of averages .* train with `power_averages=0.05,0.1`"),
    ],
)
def test_starts_lengths_and_guidances_that_cannot_be_are_refused(
    make_run: MakeRun, shapes: Path, tmp_path: Path, options: dict, words: str
) -> None:
    named = {key: shapes / value if key in ("start", "inpaint", "holes") else value for key, value in options.items()}
    with pytest.raises(InputError, match=words):
        sampling.check_sample(make_run(), named, tmp_path / "x.zarr")


def test_guidances_make_groups_each_with_the_same_noise(make_run: MakeRun, shapes: Path, tmp_path: Path) -> None:
    run = make_run(labels=shapes / "labels.csv")
    options = {**QUICK, "count": 1, "label": "disc", "guidance": "1,3"}
    sampling.sample(run, options, tmp_path / "s.zarr", progress=Progress())
    both = open_prediction(tmp_path / "s.zarr")
    assert list(both) == ["label-disc_guidance-1", "label-disc_guidance-3"]
    sampling.sample(run, {**options, "guidance": 3}, tmp_path / "one.zarr", progress=Progress())
    alone = open_prediction(tmp_path / "one.zarr")
    np.testing.assert_array_equal(alone["label-disc"]["samples"], both["label-disc_guidance-3"]["samples"])


def test_the_length_of_the_average_is_chosen_afterwards(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(power_averages="0.05,0.1", steps_per_epoch=4)
    found = {}
    for average in (None, 0.05, 0.2):
        options = {**QUICK, "average": average}
        opened, _, _ = sampling.check_sample(run, options, tmp_path / "x.zarr")
        found[average] = opened.net.state_dict()
    expected = opened.folder.averages.reconstruct(0.2)
    for name, value in expected.items():
        torch.testing.assert_close(found[0.2][name], value, rtol=0, atol=0)
        torch.testing.assert_close(found[0.05][name], found[None][name], rtol=1e-4, atol=1e-5)  # which training kept
    assert any(not torch.equal(found[0.2][name], found[None][name]) for name in expected)
    sampling.sample(run, {**QUICK, "average": 0.2}, tmp_path / "s.zarr", progress=Progress())
    assert zarr.open_group(tmp_path / "s.zarr", mode="r").attrs["average"] == 0.2
