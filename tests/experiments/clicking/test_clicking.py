"""Rounds of clicks at a made-up model that mends what is clicked at, and what is made of them."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
import torch
from promised import write_cells

from uncertsam.base.errors import UserError
from uncertsam.base.rng import numpy_generator
from uncertsam.config.clicking import Clicking
from uncertsam.experiments.clicking._rounds import Clicked, ClickingTask
from uncertsam.experiments.clicking.experiment import EXPERIMENT
from uncertsam.experiments.clicking.figure import clicking as draw
from uncertsam.experiments.clicking.table import (
    ALL,
    CLICKED,
    CLICKS,
    COLUMNS,
    DIFFERENCE,
    GUIDED,
    KEYS,
    MEAN,
    ORACLE,
    POLICIES,
    RANDOM,
    summary,
)
from uncertsam.experiments.contract import tables_of
from uncertsam.inference.algebra import Answer
from uncertsam.metrics.uncertainty import Measure
from uncertsam.models.geometry import Geometry
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.prompts import BACKGROUND, BOTTOM_RIGHT, FOREGROUND, PAD, TOP_LEFT
from uncertsam.statistics.intervals import DatasetFacts

KNOBS = Clicking(images=4, masks=None, seed=0, methods=["sam"], clicks=3)
HEIGHT, WIDTH = 24, 32


class Sketch(PromptableModel):
    """A model of the picture's own size that finds only the left of every object, and mends a square at every click.

    It says exactly where it is wrong, or, misled, where it is right. `asked`: all prompts that it was given.
    """

    device, width, last_layers, no_mask = torch.device("cpu"), 4, (), torch.zeros(4)

    def __init__(self):
        self.geometry, self.asked = Geometry(WIDTH, WIDTH // 4), []

    def read(self, split, image_id):
        """It looks at no picture."""


DOUBT = Measure("doubt", "doubt")


@dataclass(frozen=True)
class Named:
    """A method that is only told apart by its name."""

    name: str
    measure: Measure = DOUBT

    def __call__(self, inputs):
        raise NotImplementedError


class SketchBench(ClickingTask):
    """A bench whose answers are drawn instead of decoded."""

    def ask(self, method, image, objects):
        prompts = self.prompts(image, objects)
        self.model.asked.append(prompts)
        masks = [self._mended(o) for o in objects]
        logits = torch.from_numpy(np.stack([np.where(m, 3.0, -3.0) for m in masks]).astype(np.float32))
        wrong = np.stack([m != o.truth for m, o in zip(masks, objects, strict=True)]).astype(np.float32)
        unsure = torch.from_numpy(wrong if method.name == "honest" else 1 - wrong)
        return Answer(logits, torch.ones(len(masks)), torch.ones(len(masks)), DOUBT, {"doubt": unsure})

    @staticmethod
    def _mended(thing):
        mask = thing.truth.copy()
        mask[:, int(np.nonzero(mask.any(0))[0].mean()) :] = False
        for click in filter(None, thing.clicks):
            x, y = click
            near = np.s_[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3]
            mask[near] = thing.truth[near]
        return mask


def bench(split, **changes):
    return SketchBench(Sketch(), Sketch(), split, "reef", 0, KNOBS.model_copy(update=changes))


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    return write_cells(tmp_path_factory.mktemp("reef"), 8, [])


def table_of(split, methods=("honest",), **changes):
    one = bench(split, **changes)
    rows = [row for image in split for row in one.rows(image, {m: Named(m) for m in methods})]
    return pd.DataFrame(rows, columns=COLUMNS)


def means(table):
    return table.groupby(["policy", "clicks"])["iou"].mean()


def test_clicks_where_the_error_is_beat_random_ones_and_wrong_uncertainty_loses(split):
    found = means(table_of(split))
    assert found[GUIDED, 3] > found[RANDOM, 3] + 0.03 and found[ORACLE, 3] > found[RANDOM, 3] + 0.03
    misled = means(table_of(split, ["misled"]))
    assert misled[GUIDED, 3] < misled[RANDOM, 3]


def test_every_policy_begins_with_the_same_answer(split):
    table = table_of(split)
    begun = table[table["clicks"] == 0].pivot(index="mask_id", columns="policy", values="iou")
    assert (begun.nunique(axis=1) == 1).all()
    assert len(table) == 16 * len(POLICIES) * 4 and not table.duplicated(KEYS).any()


def test_random_clicks_are_the_same_for_all_methods(split):
    table = table_of(split, ["honest", "misled"])
    wide = table[table["policy"] == RANDOM].pivot(index=["mask_id", "clicks"], columns="method", values="iou")
    assert (wide["honest"] == wide["misled"]).all()


def test_the_order_of_images_and_masks_is_of_no_account(split, tmp_path):
    other = write_cells(tmp_path / "reef", 8, [], reverse=True)
    one, two = (table_of(each).sort_values(KEYS, ignore_index=True) for each in (split, other))
    pd.testing.assert_frame_equal(one, two)


def test_clicks_follow_the_box_with_the_label_of_the_truth_there(split):
    one, image = bench(split), next(iter(split))
    list(one.rows(image, {"honest": Named("honest")}))
    assert [p.points.shape[1] for p in one.model.asked] == [2, *[3, 4, 5] * 3]
    last, truths = one.model.asked[3], split.masks(image.id)
    assert (last.labels[:, :2] == torch.tensor([TOP_LEFT, BOTTOM_RIGHT])).all()
    ratio = torch.tensor([WIDTH / image.width, WIDTH / image.height])
    for points, labels, truth in zip(last.points, last.labels, truths, strict=True):
        for at, label in zip((points[2:] + 0.5) / ratio - 0.5, labels[2:], strict=True):
            x, y = at.round().int().tolist()
            assert label == (FOREGROUND if truth[y, x] else BACKGROUND)


def test_without_a_box_the_first_click_is_at_the_heart_of_the_object(split):
    one, image = bench(split, start="click"), next(iter(split))
    list(one.rows(image, {"honest": Named("honest")}))
    first = one.model.asked[0]
    assert first.points.shape[1] == 1 and (first.labels == FOREGROUND).all()


def test_where_nothing_is_wrong_the_oracle_does_not_click(split):
    image = next(iter(split))
    one = bench(split)
    thing = one.objects(image)[0]
    right = np.where(thing.truth, 3.0, -3.0).astype(np.float32)
    assert thing.next(ORACLE, right, right) is None and thing.iou(right) == 1
    prompts = one.prompts(image, [thing.then(None), one.objects(image)[1].then((3, 3))])
    assert prompts.labels[0, 2] == PAD and prompts.labels[1, 2] != PAD


def test_void_pixels_are_neither_clicked_at_nor_counted():
    truth = np.zeros((10, 10), bool)
    truth[2:8, 2:8] = True
    counted = np.ones_like(truth)
    counted[:, 5:] = False
    thing = Clicked(truth, np.array([2, 2, 7, 7], np.float32), counted, np.ones_like(truth), 0, (0, "reef", 1, 1))
    logits, unsure = np.full((10, 10), -3, np.float32), np.zeros((10, 10), np.float32)
    logits[:, 5:], unsure[:, 5:] = 3, 1
    assert all(thing.next(policy, logits, unsure)[0] < 5 for policy in POLICIES)
    assert thing.iou(np.where(truth & counted, 3, -3).astype(np.float32)) == 1


FACTS = {"reef": DatasetFacts(True, "synthetic"), "deep": DatasetFacts(False, "human")}


@pytest.fixture(scope="module")
def table(split):
    reef = table_of(split, ["honest", "misled"]).replace({"honest": "sam", "misled": "prompt"})
    return pd.concat([reef, reef.assign(dataset="deep", iou=reef["iou"] / 2)], ignore_index=True)


@pytest.fixture(scope="module")
def frame(table):
    return summary(table, FACTS, 200, 0)


def told(frame, **where):
    rows = frame
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_differences_are_paired_and_pooled_over_datasets(table, frame):
    here = {"kind": DIFFERENCE, "method": "sam", "policy": GUIDED, "clicks": 3}
    both = [told(frame, dataset=d, **here)["value"] for d in ("reef", "deep")]
    pooled = told(frame, dataset=ALL, **here)
    assert pooled["value"] == pytest.approx(np.mean(both)) and pooled["n_images"] == 16 and pooled["n_masks"] == 32
    assert 0 < pooled["low"] < pooled["value"] < pooled["high"]
    assert told(frame, dataset=ALL, **here | {"method": "prompt"})["value"] < 0
    assert told(frame, dataset="reef", **here | {"clicks": 0})["value"] == 0
    mean = table[(table["dataset"] == "reef") & (table["method"] == "sam")]
    at = {"kind": MEAN, "dataset": "reef", "method": "sam", "policy": ORACLE, "clicks": 2}
    assert told(frame, **at)["value"] == pytest.approx(means(mean)[ORACLE, 2])


@pytest.fixture
def reports(table, frame, tmp_path):
    CLICKS.write(tmp_path / "clicking.parquet", table)
    CLICKED.write(tmp_path / "clicking.csv", frame)
    return tmp_path


def found(reports):
    return "\n".join(EXPERIMENT.contradictions(tables_of(reports)))


def test_sound_reports_pass_and_come_back_as_they_were(reports, table, frame):
    assert found(reports) == ""
    back = CLICKED.read(reports / "clicking.csv")
    pd.testing.assert_frame_equal(back, frame, check_dtype=False, rtol=1e-6)
    assert len(CLICKS.read(reports / "clicking.parquet")) == len(table)


FORGED = {
    "mean": (lambda t: t.assign(iou=t["iou"] * 0.9), "the mean of guided clicks of sam on reef"),
    "lost": (lambda t: t.iloc[1:], "not clicked at as often"),
    "begun": (lambda t: t.assign(iou=t["iou"] * np.where(t["policy"] == ORACLE, 0.5, 1)), "different answers"),
}


@pytest.mark.parametrize("case", FORGED)
def test_a_forged_table_is_found(reports, table, case):
    change, says = FORGED[case]
    change(table)[COLUMNS].to_parquet(reports / "clicking.parquet", index=False)
    assert says in found(reports)


def test_the_picture_shows_the_pooled_rows(frame, tmp_path):
    files = draw(frame, tmp_path / "clicking", "foot")
    assert {path.suffix for path in files} == {".svg", ".png", ".csv"}
    drawn = pd.read_csv(tmp_path / "clicking.csv")
    assert set(drawn["dataset"]) == {ALL} and len(drawn) == (frame["dataset"] == ALL).sum()
    first = [path.read_bytes() for path in files]
    assert first == [p.read_bytes() for p in draw(frame.sample(frac=1), tmp_path / "again", "foot")]
    with pytest.raises(UserError, match="Nothing was clicked at"):
        draw(frame[frame["dataset"] != ALL], tmp_path / "none")


def test_a_real_model_is_asked_and_answers(root, split, tmp_path):
    """The shipped model on noise: every row is there, and clicks change its answers."""
    from PIL import Image

    from uncertsam.base.registry import load_method
    from uncertsam.models.checkpoints import device_named, load_model
    from uncertsam.models.store import StreamedEmbeddings

    (tmp_path / "images").mkdir()
    image = next(iter(split))
    noise = numpy_generator(0, "noise").integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "images" / image.file_name)
    here = replace(split, root=tmp_path)
    model = load_model("sam2_nano", root / "checkpoints" / "sam2_nano.safetensors", device_named("cpu"))
    kinds = {name: load_method(name) for name in ("sam", "prompt")}
    methods = {name: kind.build(kind.Params(token=0, gate=False), model, None) for name, kind in kinds.items()}
    one = ClickingTask(
        model, StreamedEmbeddings(model, torch.float32), here, "reef", 0, KNOBS.model_copy(update={"clicks": 1})
    )
    found = pd.DataFrame(one.rows(image, methods), columns=COLUMNS)
    assert len(found) == 2 * 3 * 2 * 2 and found["iou"].between(0, 1).all()
    assert found.groupby("clicks")["iou"].mean().nunique() == 2
