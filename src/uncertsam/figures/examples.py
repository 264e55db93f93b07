"""Which masks are shown, by a stated rule, and what is needed to show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, UInt8

from uncertsam.base.errors import UserError
from uncertsam.base.files import read_table
from uncertsam.data.format import Split
from uncertsam.figures.style import method_style
from uncertsam.metrics.stored import Predictions
from uncertsam.models.layout import Layout
from uncertsam.statistics.selection import TOO_SMALL

RULES = {"median": 2, "lower quartile": 4}  # of the masks ordered by IoU: every second, every fourth
LOWEST, SMALLEST = 10, 0.02  # the failure shown: which percentile of IoU; least share of the image that a mask covers
AGAIN = "Delete the method's folder, then run the predict stage again."  # finished cells are kept


@dataclass(frozen=True)
class Choice:
    """A mask to show, and the rule that chose it."""

    dataset: str
    image_id: int
    mask_id: int
    rule: str


@dataclass(frozen=True)
class MethodMap:
    """What one method says about one mask: low-resolution maps, as predicted, and its scores by metric.

    layout: of the model.
    """

    method: str
    measure: str
    layout: Layout
    logits: Float[np.ndarray, "h w"]
    uncertainty: Float[np.ndarray, "h w"]
    scores: dict[str, float]

    @property
    def unit(self) -> str:
        """The unit of the measure: "nats" of "predictive entropy [nats]", and "1" where none is named."""
        return self.measure.partition("[")[2].rstrip("]") or "1"


@dataclass(frozen=True)
class Example:
    """One mask with its image, truth and prompt (x0, y0, x1, y1 in pixels, inclusive), and a map per method."""

    choice: Choice
    image: UInt8[np.ndarray, "height width 3"]
    truth: Bool[np.ndarray, "height width"]
    ignored: Bool[np.ndarray, "height width"]
    box: tuple[float, float, float, float]
    maps: tuple[MethodMap, ...]
    synthetic: bool
    quality: str
    note: str = ""


def choose(results: pd.DataFrame, dataset: str, method: str = "sam") -> list[Choice]:
    """The masks at the median and the lower quartile of a method's IoU; of equals, the first by image and mask id.

    `results` is the long table of `results.parquet`. Raises UserError where it has no IoU of that method.
    """
    rows = _scores(results, dataset, method)
    rows = rows[rows["metric"] == "iou"].dropna(subset="value").sort_values(["value", "image_id", "mask_id"])
    if rows.empty:
        raise UserError(
            f"The results have no IoU of {method} on {dataset}.", "Run the measure and tabulate stages again."
        )
    taken: dict[int, Choice] = {}
    for rule, part in RULES.items():
        place = (len(rows) - 1) // part
        row = rows.iloc[place]
        taken.setdefault(place, Choice(dataset, int(row["image_id"]), int(row["mask_id"]), rule))
    return list(taken.values())


def choose_failure(results: pd.DataFrame, splits: Mapping[str, Split], method: str = "sam") -> Choice:
    """The mask at the 10th percentile of a method's IoU, over all datasets; ties by dataset, image and mask id.

    It is taken from the masks that cover at least 2 % of a photo and are labelled by people. Where there are none,
    labels of other origin are let in, then smaller masks, and generated pictures last; `rule` says which. Arguments:
    the long table of `results.parquet`, and the split of each dataset. Raises UserError where there is no IoU.
    """
    parts = [_scores(results, dataset, method) for dataset in splits]
    rows = pd.concat([part[part["metric"] == "iou"] for part in parts]).dropna(subset="value")
    if rows.empty:
        raise UserError(f"The results have no IoU of {method}.", "Run the measure and tabulate stages again.")
    rows = rows.merge(pd.concat([_kinds(dataset, split) for dataset, split in splits.items()]))
    kinds = ["synthetic", "small", "unsure"]
    rows = rows.sort_values([*kinds, "value", "dataset", "image_id", "mask_id"])
    rows = rows[(rows[kinds] == rows[kinds].iloc[0]).all(axis=1)]
    row = rows.iloc[(len(rows) - 1) * LOWEST // 100]
    pool = f"{len(rows)} " + ("generated masks" if row["synthetic"] else "masks of photos")
    pool += "" if row["synthetic"] else " with labels of any origin" if row["unsure"] else " labelled by people"
    pool += "" if row["small"] else f", each at least {SMALLEST:.0%} of its image".replace("%", "\u00a0%")
    rule = f"the mask at the {LOWEST}th percentile of {method_style(method).label}'s IoU among {pool}"
    return Choice(str(row["dataset"]), int(row["image_id"]), int(row["mask_id"]), rule)


def _kinds(dataset: str, split: Split) -> pd.DataFrame:
    """What decides whether a mask is fit to be shown, a row per mask."""
    synthetic = bool(split.info.get("synthetic", False))
    rows = [
        (dataset, image.id, a.id, synthetic, a.area < SMALLEST * image.width * image.height,
         image.quality not in ("human", "synthetic"))
        for image in split for a in split.annotations[image.id]
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["dataset", "image_id", "mask_id", "synthetic", "small", "unsure"])


def load(choice: Choice, split: Split, predictions: Path, methods: Sequence[str], results: pd.DataFrame) -> Example:
    """Read all that is drawn of one mask. `predictions` holds <dataset>/<method>/{index.parquet, maps.safetensors}.

    Raises UserError where a file, or this mask in it, is missing.
    """
    found = [a for a in split.annotations.get(choice.image_id, []) if a.id == choice.mask_id]
    if not found:
        lost = f"{split.root} has no mask {choice.mask_id} of image {choice.image_id}, but the results do."
        raise UserError(lost, "Run the stages from preprocess on again.")
    read = [_read_map(predictions / choice.dataset / method, method, choice, results) for method in methods]
    return Example(
        choice,
        split.pixels(choice.image_id),
        split.mask(found[0]),
        split.ignored(choice.image_id),
        read[0][1],
        tuple(drawn for drawn, _ in read),
        bool(split.info.get("synthetic", False)),
        split.images[choice.image_id].quality,
        TOO_SMALL if len(split) < 5 else "",
    )


def _read_map(
    folder: Path, method: str, choice: Choice, results: pd.DataFrame
) -> tuple[MethodMap, tuple[float, float, float, float]]:
    index = read_table(folder / "index.parquet", AGAIN)
    try:
        row = index[(index["image_id"] == choice.image_id) & (index["mask_id"] == choice.mask_id)].iloc[0]
        place = {choice.mask_id: (int(row["row"]), float("nan"))}
    except (IndexError, KeyError) as error:
        raise UserError(f"{folder} lacks mask {choice.mask_id} of image {choice.image_id} ({error}).", AGAIN) from None
    stored = Predictions.of_rows(folder, place, len(index)).of(choice.mask_id)
    scores = _scores(results, choice.dataset, method)
    mine = scores[(scores["image_id"] == choice.image_id) & (scores["mask_id"] == choice.mask_id)]
    box = (float(row["x0"]), float(row["y0"]), float(row["x1"]), float(row["y1"]))
    values = {str(metric): float(value) for metric, value in zip(mine["metric"], mine["value"], strict=True)}
    return MethodMap(method, stored.measure.title, stored.layout, stored.logits, stored.uncertainty, values), box


def _scores(results: pd.DataFrame, dataset: str, method: str) -> pd.DataFrame:
    keys = (results["dataset"] == dataset) & (results["method"] == method) & (results["region"] == "full")
    return results[keys]
