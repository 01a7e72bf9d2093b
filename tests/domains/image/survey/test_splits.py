from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from multiunet.domains.image.config import ImageTrain
from multiunet.domains.image.files.pairing import pair_files
from multiunet.domains.image.survey.splits import SPLITS, ItemSplits, split_items
from multiunet.errors import InputError


def split(root: Path, **settings: Any) -> ItemSplits:
    config = ImageTrain(images=root / "images", masks=root / "masks", **settings)
    return split_items(config, root / "masks")


def names(splits: ItemSplits) -> list[list[str]]:
    return [[item.name for item in splits[name]] for name in SPLITS]


def test_masks_are_paired_by_stem_or_by_one_ending(folder: Any) -> None:
    root = folder(3)
    assert [Path(item.target).name for item in pair_files(root / "images", root / "masks")] == [
        "s0.png",
        "s1.png",
        "s2.png",
    ]
    for index in range(3):
        (root / "masks" / f"s{index}.png").rename(root / "masks" / f"s{index}_mask.png")
    items = pair_files(root / "images", root / "masks")
    assert [(item.name, Path(item.target).name) for item in items] == [(f"s{i}", f"s{i}_mask.png") for i in range(3)]


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("{}", "{}_class"),
        ("{}", "{}_instance"),
        ("{}", "{}_cp_masks"),
        ("{}_img", "{}_gt"),
        ("{}_image", "{}_annotation"),
        ("{}_0000", "{}"),
        ("image_{}", "mask_{}"),
        ("img_{}", "mask_{}"),
    ],
)
@pytest.mark.parametrize("together", [False, True])
def test_usual_names_are_paired(tmp_path: Path, image: str, mask: str, together: bool) -> None:
    folders = tmp_path / "images", tmp_path / ("images" if together else "masks")
    for folder, name in zip(folders, (image, mask)):
        folder.mkdir(exist_ok=True)
        for index in range(3):
            (folder / f"{name.format(f's{index}')}.png").touch()
    if together and mask == "{}":
        return  # a mask without any mark of it is no other than an image
    items = pair_files(*folders)
    names = [(f"{image.format(f's{index}')}", f"{mask.format(f's{index}')}.png") for index in range(3)]
    assert [(item.name, Path(item.target).name) for item in items] == names


def test_names_that_tell_nothing_are_told_by_their_folders(tmp_path: Path) -> None:
    lines = ["image,mask"]
    for sample in ("a", "b"):
        for kind in ("images", "masks"):
            (tmp_path / sample / "of" / kind).mkdir(parents=True)
            for number in range(2):
                (tmp_path / sample / "of" / kind / f"{number}.png").touch()
        lines += [f"{sample}/of/images/{number}.png,{sample}/of/masks/{number}.png" for number in range(2)]
    by_pattern = pair_files(tmp_path / "**/images/*.png", tmp_path / "*/of/masks/*.png")
    assert [item.name for item in by_pattern] == ["a_0", "a_1", "b_0", "b_1"]
    assert by_pattern == pair_files(table(tmp_path, *lines), None)
    with pytest.raises(InputError, match=r"it holds 1 folder; for the images in them, pass '.*/a/\*\*/\*\.png'"):
        pair_files(tmp_path / "a", tmp_path / "a")


def test_masks_without_an_image_are_told_of(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    root = folder(6)
    apart: dict[str, Any] = {"val_images": root / "val", "test_fraction": 0}
    (root / "val").mkdir()
    shutil.move(root / "images/s5.png", root / "val/s5.png")
    split(root, **apart)
    assert not caplog.text
    (root / "images/s3.png").unlink()
    split(root, **apart)
    assert "masks: not used, as no image has their names: s3" in caplog.text


def test_missing_masks_are_listed(folder: Any) -> None:
    root = folder(4)
    (root / "masks" / "s1.png").unlink()
    (root / "masks" / "s3.png").unlink()
    with pytest.raises(InputError, match=r"masks: no mask for 2 of the 4 images in .*images: s1, s3;"):
        split(root)


def test_fractions_are_seeded_and_leave_nothing_out(folder: Any) -> None:
    root = folder(10)
    first, again, other = (names(split(root, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert [len(part) for part in first] == [6, 2, 2]
    assert sorted(name for part in first for name in part) == [f"s{i}" for i in range(10)]


def test_two_images_are_too_few_for_three_splits(folder: Any) -> None:
    root = folder(2)
    with pytest.raises(InputError, match="too few to set 1 of them apart as val"):
        split(root)
    assert [len(part) for part in names(split(root, test_fraction=0))] == [1, 1, 0]


def test_a_share_of_nothing_leaves_all_to_training(folder: Any) -> None:
    root = folder(5)
    train, val, test = names(split(root, val_fraction=0, test_fraction=0))
    assert (len(train), val, test) == (5, [], [])
    train, val, test = names(split(root, val_fraction=0, folds=5, fold=2))
    assert (len(train), val, len(test)) == (4, [], 1)


def test_too_large_a_share_of_tests_is_named(folder: Any) -> None:
    with pytest.raises(InputError, match=r"`val_fraction=0\.2`: 1 training image is too few .* beside 5 that test"):
        split(folder(6), test_fraction=0.8)


def test_a_list_of_stems_says_all(folder: Any) -> None:
    root = folder(6)
    lists = {"train": ["s4", "s0"], "val": ["s5.png"], "test": ["s1"], "another": ["nothing"]}
    (root / "a.json").write_text(json.dumps({"K": lists}))
    (root / "b.json").write_text(json.dumps(lists))
    for where in (f"{root}/a.json:K", f"{root}/b.json"):
        assert names(split(root, splits=where)) == [["s4", "s0"], ["s5"], ["s1"]]


def test_validation_is_carved_out_where_the_list_has_none(folder: Any) -> None:
    root = folder(6)
    (root / "a.json").write_text(json.dumps({"train": ["s0", "s1", "s2", "s3", "s4"], "test": ["s5"]}))
    train, val, test = names(split(root, splits=f"{root}/a.json"))
    assert (len(train), len(val), test) == (4, 1, ["s5"])


@pytest.mark.parametrize(
    ("content", "key", "message"),
    [
        ({"train": ["s0", "s9"]}, "", r"train names 1 image not in .*: s9"),
        ({"train": ["s0", "s1"], "val": ["s1"]}, "", r"s1\.png: is both in train and in val"),
        ({"train": ["s0", "s0"]}, "", "train names images twice: s0"),
        ({"train": [], "val": ["s0"]}, "", "no training images"),
        ({"A": {"train": []}, "B": {}}, "C", r"has no 'C'; it has A, B"),
        ({"A": {"train": []}, "B": {}}, "", r"no list of stems under 'train'; the keys are A, B"),
        ({"train": ["s0"], "test": "s1"}, "", "'test' is not a list"),
        ([1], "", "no list of stems"),
    ],
)
def test_lists_that_do_not_fit(folder: Any, content: Any, key: str, message: str) -> None:
    root = folder(3)
    (root / "a.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        split(root, splits=f"{root}/a.json:{key}" if key else f"{root}/a.json")


def test_a_list_that_is_not_there_or_not_json(folder: Any) -> None:
    root = folder(3)
    with pytest.raises(InputError, match=r"none\.json: cannot be read"):
        split(root, splits=f"{root}/none.json:A")
    (root / "a.json").write_text("{train")
    with pytest.raises(InputError, match=r"a\.json: not JSON"):
        split(root, splits=f"{root}/a.json")


def test_folders_of_their_own(folder: Any) -> None:
    root = folder(6)
    for kind in ("images", "masks"):
        for name, stem in (("val", "s4"), ("test", "s5")):
            (root / name / kind).mkdir(parents=True, exist_ok=True)
            shutil.move(root / kind / f"{stem}.png", root / name / kind / "s0.png")  # equal names are other images
    apart: dict[str, Any] = {"val_images": root / "val/images", "val_masks": root / "val/masks"}
    assert names(split(root, **apart)) == [["s0", "s1", "s2", "s3"], ["s0"], []]
    apart |= {"test_images": root / "test/images", "test_masks": root / "test/masks"}
    assert names(split(root, **apart)) == [["s0", "s1", "s2", "s3"], ["s0"], ["s0"]]
    with pytest.raises(InputError, match="is both in train and in val"):
        split(root, val_images=root / "images", val_masks=root / "masks")
    with pytest.raises(InputError, match="`val_masks` without `val_images`"):
        split(root, val_masks=root / "masks")
    with pytest.raises(InputError, match="both say how to split"):
        split(root, splits="a.json", **apart)


def test_a_config_holds_from_any_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert ImageTrain(images=Path("i"), splits="a.json:K").splits == f"{tmp_path}/a.json:K"


def table(folder: Path, *lines: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")  # as spreadsheets save it
    return path


def test_a_table_names_pairs_and_splits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a/1.png", "a/2.png", "a/3.png", "b/x.png", "b/y.png", "b/z.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    lines = ["Image,mask,split", "a/1.png,b/x.png,train", "a/2.png,b/y.png,Validation", "a/3.png,b/z.png,", ""]
    splits = split_items(ImageTrain(images=table(tmp_path, *lines)), None)
    assert {name: [item.name for item in items] for name, items in splits.items()} == {
        "train": ["1", "3"],
        "val": ["2"],
        "test": [],
    }
    assert "pairs.csv: 1 of 3 lines have no split; they are trained on" in caplog.text
    assert splits["train"][0].target == str(tmp_path / "b/x.png")
    drawn = split_items(ImageTrain(images=table(tmp_path, *(line.rpartition(",")[0] for line in lines[:4]))), None)
    assert sorted(item.name for items in drawn.values() for item in items) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["picture,mask", "a.png,a.png"], "no column 'image'"),
        (["image,mask"], "names no image"),
        (["image,mask", "a.png,none.png"], "line 2: mask 'none.png' is not a file"),
        (["image,mask", "a.png"], "line 2: has 1 cells"),
        (["image,mask,split", "a.png,a.png,maybe"], "line 2: split is 'maybe'"),
        (["image", "a.png"], "no column 'mask'"),
        (["image,mask", "a.png,a.png", "a.tif,a.png"], "same name"),
    ],
)
def test_tables_that_say_too_little_are_refused(tmp_path: Path, lines: list[str], said: str) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "a.tif").touch()
    with pytest.raises(InputError, match=said):
        split_items(ImageTrain(images=table(tmp_path, *lines)), None)


def test_a_table_and_a_folder_of_masks_contradict_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    path = table(tmp_path, "image,mask,split", "a.png,a.png,train")
    with pytest.raises(InputError, match="use one"):
        split_items(ImageTrain(images=path), tmp_path)
    with pytest.raises(InputError, match="use one"):
        split_items(ImageTrain(images=path, splits="s.json"), None)


def test_folds_test_every_image_once(folder: Any) -> None:
    root = folder(7)
    everything = [split(root, folds=3, fold=fold, seed=5) for fold in range(3)]
    tested = [names(splits)[2] for splits in everything]
    assert sorted(len(part) for part in tested) == [2, 2, 3]
    known = [name for part in names(everything[0]) for name in part]
    assert sorted(name for part in tested for name in part) == sorted(known)
    for splits in everything:
        train, val, test = (set(part) for part in names(splits))
        assert val
        assert train.isdisjoint(val | test)
        assert val.isdisjoint(test)
    again = split(root, folds=3, fold=1, seed=5)
    assert again == everything[1]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"folds": 3, "splits": "s.json"}, "both say how to split"),
        ({"folds": 3, "fold": 3}, "is none of `folds=3`"),
        ({"fold": 0}, "`fold=0` without `folds`"),
    ],
)
def test_folds_that_make_no_sense_are_refused(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ImageTrain(images=tmp_path, masks=tmp_path, **settings)


def test_targets_without_regression_are_not_ignored(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`targets` are for `task=regression`"):
        ImageTrain(images=tmp_path, masks=tmp_path, targets=tmp_path)


def test_masks_with_regression_are_not_ignored(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`masks` are for `task=segmentation`"):
        ImageTrain(images=tmp_path, masks=tmp_path, targets=tmp_path, task="regression")


def test_more_folds_than_images_are_refused(folder: Any) -> None:
    with pytest.raises(InputError, match="there are 4 images"):
        split(folder(4), folds=5, fold=0)


def test_images_that_no_list_names_are_said(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    root = folder(6)
    (root / "a.json").write_text(json.dumps({"train": ["s0", "s1"], "val": ["s2"], "test": ["s5"]}))
    split(root, splits=f"{root}/a.json")
    assert "names 4 of the 6 images in" in caplog.text
    assert "2 images in no list are left out: s3, s4" in caplog.text


def series(root: Path) -> Path:
    """Names the six images after three embryos of two times each."""
    for kind in ("images", "masks"):
        for index in range(6):
            (root / kind / f"s{index}.png").rename(root / kind / f"Emb{index // 2}_t{index % 2}.png")
    return root


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_together_by_chance_and_in_folds(folder: Any, seed: int) -> None:
    root = series(folder(6))
    found = split(root, groups="Emb[0-9]+", seed=seed)
    assert [len(found[name]) for name in SPLITS] == [2, 2, 2]
    tested: list[str] = []
    for fold in range(3):
        found = split(root, groups="Emb[0-9]+", folds=3, fold=fold, seed=seed)
        held = [{item.group for item in found[name]} for name in SPLITS]
        assert sum(map(len, held)) == len(set().union(*held)) == 3
        tested += [item.name for item in found["test"]]
    assert sorted(tested) == sorted(f"Emb{index // 2}_t{index % 2}" for index in range(6))


def test_series_that_chance_parts_are_told(folder: Any, caplog: pytest.LogCaptureFixture) -> None:
    root = series(folder(6))
    split(root)
    [message] = caplog.messages
    assert "by their names, images are of 3 groups" in message
    assert "keep each together by `groups=^(.+?)_t[0-9]+`" in message
    caplog.clear()
    split(root, groups="^(.+?)_t[0-9]+")
    split(root, groups=".+")
    assert not caplog.messages


def test_groups_that_cannot_be_kept_together_are_refused(folder: Any, tmp_path: Path) -> None:
    root = series(folder(6))
    with pytest.raises(InputError, match=r"all 6 images left .* of one group, 'Emb', .* apart as test; tell more"):
        split(root, groups="Emb")
    with pytest.raises(InputError, match=r"`folds=4`: there are 6 images of 3 groups; a fold tests one group at least"):
        split(root, groups="Emb[0-9]", folds=4, fold=0)
    lists = {"train": ["Emb0_t0", "Emb1_t0"], "val": ["Emb0_t1"], "test": ["Emb2_t0"]}
    (tmp_path / "s.json").write_text(json.dumps(lists))
    with pytest.raises(InputError, match=r"1 group in more than one split \(Emb0; of Emb0 Emb0_t0 in train, Emb0_t1"):
        split(root, groups="Emb[0-9]", splits=f"{tmp_path}/s.json")


def test_a_table_names_groups(folder: Any) -> None:
    root = folder(6)
    rows = [f"images/s{index}.png,masks/s{index}.png,{'abb cc'[index].strip()}" for index in range(6)]
    pairs = table(root, "image,mask,group", *rows)
    found = split_items(ImageTrain(images=pairs, test_fraction=0.4), None)
    assert {item.name: item.group for own in found.values() for item in own} == dict(
        zip((f"s{index}" for index in range(6)), ("a", "b", "b", None, "c", "c"))
    )
    for own in ("b", "c"):
        assert sum(own in {item.group for item in found[name]} for name in SPLITS) == 1
    with pytest.raises(InputError, match="has a column 'group', but `groups` is given, too; use one"):
        split_items(ImageTrain(images=pairs, groups="s[0-9]"), None)
