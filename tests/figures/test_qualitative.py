from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from cells import write_maps
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from safetensors.numpy import save_file

from uncertsam.base.errors import UserError
from uncertsam.data.format import Annotation, ImageRecord, Split, encode_rle, read_split, write_split
from uncertsam.figures._panels import cells_of
from uncertsam.figures.examples import Choice, Example, MethodMap, choose, choose_failure, load
from uncertsam.figures.overlay import IGNORED, MISSED, RIGHT, TOO_MUCH, counts, overlay
from uncertsam.figures.qualitative import qualitative, strips
from uncertsam.figures.teaser import error_of, teaser
from uncertsam.models.layout import Layout

LAYOUT = Layout(32, 8)
LABELS = {"sureness": {"label": "predictive entropy", "unit": "nats"}, "sameness": {"label": "constant", "unit": "1"}}
MEASURES = {"sam": "sureness", "laplace": "sureness", "constant": "sameness"}
masks = arrays.arrays(bool, (5, 7))


@given(masks, masks, masks)
def test_overlay_colours_are_the_confusion_table(truth: np.ndarray, prediction: np.ndarray, void: np.ndarray) -> None:
    black = np.zeros((5, 7, 3), np.uint8)
    picture = overlay(black, truth, prediction, void)
    parts = {"right": truth & prediction, "much": prediction & ~truth, "missed": truth & ~prediction}
    for name, colour, weight in (("right", RIGHT, 0.6), ("much", TOO_MUCH, 0.85), ("missed", MISSED, 0.85)):
        expected = np.round(weight * np.array(colour))
        assert (picture[parts[name] & ~void] == expected).all()
    assert (picture[~truth & ~prediction & ~void] == 0).all() and (picture[void] == IGNORED).all()
    found = counts(truth, prediction, void)
    assert found["tp"] + found["fp"] + found["fn"] == ((truth | prediction) & ~void).sum()
    assert found["fp"] == (prediction & ~truth & ~void).sum()


def table(values: list[float], metric: str = "iou", method: str = "sam") -> pd.DataFrame:
    frame = pd.DataFrame({"value": values, "mask_id": range(1, len(values) + 1)}).assign(dataset="reef", image_id=1)
    return frame.assign(method=method, metric=metric, region="full")


@given(st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.9, float("nan")]), min_size=1, max_size=30))
def test_examples_are_at_median_and_lower_quartile(values: list[float]) -> None:
    known = sorted(v for v in values if v == v)
    if not known:
        with pytest.raises(UserError, match="no IoU of sam on reef"):
            choose(table(values), "reef")
        return
    found = {choice.rule: values[choice.mask_id - 1] for choice in choose(table(values), "reef")}
    assert found["median"] == known[(len(known) - 1) // 2]
    assert found.get("lower quartile", found["median"]) == known[(len(known) - 1) // 4]


def test_of_equal_masks_the_first_is_chosen_whatever_the_order() -> None:
    frame = table([0.5, 0.5, 0.5, 0.5, 0.5])
    assert [c.mask_id for c in choose(frame, "reef")] == [3, 2]
    assert choose(frame.sample(frac=1, random_state=3), "reef") == choose(frame, "reef")


def test_one_mask_is_shown_once() -> None:
    assert [(c.mask_id, c.rule) for c in choose(table([0.4]), "reef")] == [(1, "median")]


@pytest.fixture
def reef(tmp_path: Path) -> tuple[Split, Path, pd.DataFrame]:
    """A tiny split with two masks on one image, the predictions of three methods, and their scores."""
    generator = np.random.default_rng(0)
    root, shape = tmp_path / "benchmark" / "reef" / "test", (40, 60)
    (root / "images").mkdir(parents=True)
    Image.fromarray(generator.integers(0, 255, (*shape, 3), dtype=np.uint8)).save(root / "images" / "00000001.jpg")
    truths = np.zeros((2, *shape), bool)
    truths[0, 5:20, 10:30], truths[1, 22:38, 35:55] = True, True
    rows = [Annotation(i, 1, int(t.sum()), encode_rle(t)) for i, t in enumerate(truths, 1)]
    write_split(root, {"synthetic": True}, [ImageRecord(1, 60, 40, quality="synthetic")], rows)
    index = pd.DataFrame({"row": [0, 1], "image_id": 1, "mask_id": [2, 1]})  # not in the order of the masks
    index = index.assign(x0=[35, 10], y0=[22, 5], x1=[54, 29], y1=[37, 19])
    for method, measure in MEASURES.items():
        maps = {name: generator.normal(0, 1, (2, 8, 8)).astype(np.float32) for name in ("logits", measure)}
        named = {"name": measure, **LABELS[measure]}
        folder = tmp_path / "predictions" / "reef" / method
        write_maps(folder, index, maps | {measure: np.abs(maps[measure]) / 5}, named)
    scores = [table(list(generator.uniform(0, 1, 2)), k, m) for m in MEASURES for k in ("iou", "pearson")]
    return read_split(root), tmp_path / "predictions", pd.concat(scores, ignore_index=True)


Reef = tuple[Split, Path, pd.DataFrame]


def read(reef: Reef, mask_id: int = 1) -> Example:
    split, predictions, results = reef
    return load(Choice("reef", 1, mask_id, "median"), split, predictions, list(MEASURES), results)


def test_an_example_has_its_own_box_truth_maps_and_scores(reef: Reef) -> None:
    example, results = read(reef), reef[2]
    assert example.box == (10.0, 5.0, 29.0, 19.0) and example.synthetic and example.note == "n too small"
    rows, columns = np.nonzero(example.truth)
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == example.box
    assert [m.unit for m in example.maps] == ["nats", "nats", "1"]
    expected = results[(results["method"] == "laplace") & (results["mask_id"] == 1)].set_index("metric")["value"]
    assert example.maps[1].scores == expected.to_dict()


@pytest.mark.parametrize("lost", ["index.parquet", "maps.safetensors", "meta.json"])
def test_a_lost_prediction_file_is_named(reef: Reef, lost: str) -> None:
    (reef[1] / "reef" / "laplace" / lost).unlink()
    with pytest.raises(UserError, match=r"laplace.*predict stage"):
        read(reef)


def test_a_mask_that_the_benchmark_lacks_is_named(reef: Reef) -> None:
    with pytest.raises(UserError, match="no mask 7 of image 1"):
        read(reef, mask_id=7)


def words(svg: Path) -> str:
    return " ".join(node.text or "" for node in ElementTree.parse(svg).iter() if node.tag.endswith("text"))


def test_the_panel_is_the_same_every_time_and_says_what_it_shows(reef: Reef, tmp_path: Path) -> None:
    examples = [read(reef), read(reef, 2)]
    first = [path.read_bytes() for path in qualitative(examples, tmp_path / "a", "params 1a")]
    paths = qualitative(examples, tmp_path / "b", "params 1a")
    assert [path.read_bytes() for path in paths] == first
    text = words(paths[1])
    for needed in (
        "Reef (synthetic)",
        "SAM 2",
        "Laplace",
        "Constant",
        "uncertainty [nats]",
        "missed (FN)",
        "params 1a",
    ):
        assert needed in text
    assert all(f"IoU {m.scores['iou']:.2f}" in text for example in examples for m in example.maps)


def test_a_changed_map_changes_table_and_pictures(reef: Reef, tmp_path: Path) -> None:
    before = [path.read_bytes() for path in qualitative([read(reef)], tmp_path / "a")]
    path = reef[1] / "reef" / "laplace" / "maps.safetensors"
    save_file({name: np.full((2, 8, 8), 0.3, np.float32) for name in ("logits", MEASURES["laplace"])}, path)
    after = [path.read_bytes() for path in qualitative([read(reef)], tmp_path / "a")]
    assert all(old != new for old, new in zip(before, after, strict=True))


def drawn_table(examples: list[Example], monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """The table of a panel, without the time that its pictures take."""
    kept: list[pd.DataFrame] = []
    monkeypatch.setattr("uncertsam.figures.qualitative.write", lambda figure, frame, stem: kept.append(frame) or [])
    qualitative(examples, Path("nowhere"))
    return kept[0]


def test_the_table_beside_the_panel_is_what_the_maps_say(reef: Reef, monkeypatch: pytest.MonkeyPatch) -> None:
    example = read(reef)
    frame = drawn_table([example], monkeypatch).set_index("method")
    for drawn in example.maps:
        row, predicted = frame.loc[drawn.method], LAYOUT.to_picture(drawn.logits, (40, 60)) > 0
        assert row["iou"] == drawn.scores["iou"] and row["pearson"] == drawn.scores["pearson"]
        assert row["tp"] == (predicted & example.truth).sum() and row["fn"] == (~predicted & example.truth).sum()
        assert row["max_uncertainty"] == pytest.approx(LAYOUT.to_picture(drawn.uncertainty, (40, 60)).max())
        left, top, right, bottom = row[["view_left", "view_top", "view_right", "view_bottom"]].astype(int)
        outside = np.ones_like(predicted)
        outside[top:bottom, left:right] = False
        assert not ((predicted | example.truth) & outside).any()  # nothing wrong hides beyond the view


def test_maps_of_one_unit_share_one_scale(reef: Reef, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = drawn_table([read(reef), read(reef, 2)], monkeypatch)
    scales = frame.groupby("unit")[["scale_low", "scale_high"]].agg(["min", "max"])
    assert (scales.xs("min", axis=1, level=1) == scales.xs("max", axis=1, level=1)).all(axis=None)
    nats = frame[frame["unit"] == "nats"].iloc[0]
    assert (nats["scale_low"], nats["scale_high"]) == (0, pytest.approx(np.log(2)))
    rest = frame[frame["unit"] == "1"]
    assert rest["scale_high"].iloc[0] == pytest.approx(rest["max_uncertainty"].max())


def test_masks_of_two_datasets_may_have_the_same_ids(reef: Reef, tmp_path: Path) -> None:
    example = read(reef)
    maps = tuple(replace(drawn, scores={"iou": 0.987}) for drawn in example.maps)
    other = replace(example, choice=replace(example.choice, dataset="other"), maps=maps, synthetic=False)
    text = words(qualitative([example, other], tmp_path / "a")[1])
    assert text.count("IoU 0.99") == len(maps)
    assert "Reef (synthetic)\N{NO-BREAK SPACE}‡: median, image 1, mask 1" in text
    assert "Other\N{NO-BREAK SPACE}‡: median, image 1, mask 1" in text


@pytest.mark.parametrize("fill", [False, True])
def test_empty_and_full_masks_can_be_drawn(fill: bool, tmp_path: Path) -> None:
    low = np.full((4, 4), 5.0 if fill else -5.0, np.float32)
    drawn = MethodMap("sam", "constant", LAYOUT, low, np.zeros((4, 4), np.float32), {})
    truth, image = np.full((9, 300), fill), np.zeros((9, 300, 3), np.uint8)
    choice = Choice("reef", 1, 1, "median")
    example = Example(choice, image, truth, ~truth & truth, (0.0, 0.0, 299.0, 8.0), (drawn,), False, "human")
    text = words(qualitative([example], tmp_path / "a")[1])
    assert "IoU has no value" in text and "ρ has no value" in text


@given(st.integers(1, 30))
def test_strips_hold_every_method_once_and_stay_short(count: int) -> None:
    found = [list(range(count))[part] for part in strips(count)]
    assert [method for strip in found for method in strip] == list(range(count))
    assert max(map(len, found)) <= 5 and max(map(len, found)) - min(map(len, found)) <= 1


def test_with_nine_methods_every_one_keeps_its_name_and_scores(reef: Reef, tmp_path: Path) -> None:
    example = read(reef)
    names = ["sam", "tta_train", "tta_hue", "tta_geometric", "prompt", "laplace", "laplace_closed", "constant", "x"]
    maps = [replace(example.maps[0], method=name, scores={"iou": i / 100}) for i, name in enumerate(names)]
    many = replace(example, maps=tuple(maps))
    for draw in (lambda stem: qualitative([many], stem), lambda stem: teaser(many, stem)):
        csv, svg, _ = draw(tmp_path / "a")
        text = words(svg)
        assert all(name in text for name in ("TTA, hue", "Prompt perturbation", "Laplace, closed form", "X"))
        assert pd.read_csv(csv)["method"].tolist() == names


def split_of(areas: dict[int, int], synthetic: bool = False, quality: str = "human") -> Split:
    """Masks of so many pixels on an image of 1,000."""
    masks = [Annotation(mask, 1, area, {}) for mask, area in areas.items()]
    return Split(Path("x"), {"synthetic": synthetic}, {1: ImageRecord(1, 50, 20, quality=quality)}, {1: masks})


def test_the_failure_is_at_the_tenth_percentile_of_the_photos_that_may_be_shown() -> None:
    ious = [float(v) for v in np.linspace(1, 0, 40)]
    results = pd.concat([table(ious), table(ious).assign(dataset="world"), table(ious).assign(dataset="script")])
    areas = {mask: 20 if mask % 2 else 19 for mask in range(1, 41)}  # every other one is too small
    splits = {"world": split_of(areas, synthetic=True, quality="synthetic"), "reef": split_of(areas)}
    splits["script"] = split_of(areas, quality="derived")
    choice = choose_failure(results, splits)
    kept = sorted(iou for mask, iou in enumerate(ious, 1) if mask % 2)
    assert choice.dataset == "reef" and ious[choice.mask_id - 1] == kept[(len(kept) - 1) // 10]
    assert choice.rule.endswith(
        "20 masks of photos labelled by people, each at least 2\N{NO-BREAK SPACE}% of its image"
    )
    assert choose_failure(results.sample(frac=1, random_state=2), dict(reversed(splits.items()))) == choice


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        ({"reef": split_of({1: 19})}, "1 masks of photos labelled by people"),
        ({"reef": split_of({1: 500}, quality="unknown")}, "photos with labels of any origin, each at least"),
        ({"reef": split_of({1: 500}, True, "synthetic")}, "1 generated masks, each at least"),
    ],
)
def test_where_better_masks_are_missing_the_rule_says_which_were_taken(splits: dict[str, Split], said: str) -> None:
    assert said in choose_failure(table([0.4]), splits).rule


def test_without_an_iou_no_failure_is_chosen() -> None:
    with pytest.raises(UserError, match="no IoU of sam"):
        choose_failure(table([float("nan")]), {"reef": split_of({1: 500})})


def test_the_teaser_is_the_same_every_time_and_says_what_it_shows(reef: Reef, tmp_path: Path) -> None:
    example = read(reef)
    first = [path.read_bytes() for path in teaser(example, tmp_path / "a", "params 1a")]
    paths = teaser(example, tmp_path / "b", "params 1a")
    assert [path.read_bytes() for path in paths] == first
    text = words(paths[1])
    for needed in ("Reef (synthetic)", "SAM 2's mask", "error |P - M|", "Laplace", "median", "params 1a"):
        assert needed in text
    assert f"IoU {example.maps[0].scores['iou']:.2f}" in text
    assert all(f"ρ {m.scores['pearson']:.2f}" in text for m in example.maps)


def test_the_error_is_the_distance_of_probability_and_truth_and_void_has_none(reef: Reef) -> None:
    example = read(reef)
    void = np.zeros_like(example.truth)
    void[:3] = True
    cell = cells_of(example)[0]
    error = error_of(replace(example, ignored=void), cell)
    assert (error[:3] == 0).all() and ((error >= 0) & (error <= 1)).all()
    assert ((error > 0.5) == (cell.prediction != example.truth))[3:].all()
