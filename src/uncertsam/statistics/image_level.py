"""Does one number per mask tell that the mask is bad? Failure detection over the masks of a dataset.

The score of a mask is what an aggregation makes of its U (see `metrics.aggregation`), by default the mean; its risk is
1 - IoU (full region). Masks without either value are left out.

    image_augrc   area under the generalised risk-coverage curve over masks (Traub et al., NeurIPS 2024)
    image_aurc    area under the risk-coverage curve over masks
    image_auroc   of the score for the event IoU < 0.5; NaN where all masks are of one kind
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from uncertsam.metrics.aggregation import PREFIX
from uncertsam.metrics.ranking import augrc, aurc, auroc
from uncertsam.statistics.intervals import DatasetFacts, finished, limits, resamples
from uncertsam.statistics.schema import WORD, Column, Schema

METRICS = ("image_auroc", "image_aurc", "image_augrc")
FAILURE_IOU = 0.5
IMAGE_LEVEL = Schema(
    "image_level.csv",
    "Run the tabulate stage.",
    {"model": WORD, "dataset": WORD, "method": WORD, "measure": WORD, "aggregation": WORD,
     **dict.fromkeys(reversed(METRICS), Column(within=(0.0, 1.0), empty=True))},
    ["model", "dataset", "method", "measure", "aggregation"],
)  # fmt: skip


_MASK = ["model", "dataset", "image_id", "mask_id", "method"]


@dataclass(frozen=True)
class Ranking:
    """Masks in ascending score: the position of their image, their risk, and where each tie begins."""

    images: Int[np.ndarray, " n"]
    risks: Float[np.ndarray, " n"]
    failed: Bool[np.ndarray, " n"]
    starts: Int[np.ndarray, " g"]

    @classmethod
    def of(cls, masks: pd.DataFrame, failure_iou: float) -> "Ranking":
        """Rank masks (columns image, iou, score), leaving out those with NaN."""
        masks = masks.dropna().sort_values("score", kind="stable")
        iou = masks["iou"].to_numpy()
        starts = np.unique(masks["score"], return_index=True)[1]
        return cls(masks["image"].to_numpy(), 1 - iou, iou < failure_iou, starts)

    def scores(self, weights: Int[np.ndarray, "b n_images"]) -> Float[np.ndarray, "b 3"]:
        """The values of `METRICS` with every image counted as often as its weight says."""
        often = weights[:, self.images]
        counts, risks, failures = (
            np.add.reduceat(often * value, self.starts, axis=1) for value in (1, self.risks, self.failed)
        )
        return np.stack([auroc(counts, failures), aurc(counts, risks), augrc(counts, risks)], axis=1)


def image_level(table: pd.DataFrame, failure_iou: float = FAILURE_IOU) -> pd.DataFrame:
    """The table `IMAGE_LEVEL` of a long table: every measure and aggregation; the model's own scores by its measure."""
    full = table[table["region"] == "full"]
    ious = full.loc[full["metric"] == "iou", [*_MASK, "value"]].rename(columns={"value": "iou"})
    scored = full[full["metric"].str.startswith(PREFIX)].rename(columns={"value": "score"})
    rows = scored.merge(ious, on=_MASK)
    rows["image"] = rows.groupby("dataset")["image_id"].transform(lambda ids: np.unique(ids, return_inverse=True)[1])
    keys = ["model", "dataset", "method", "measure", "metric"]
    found = [(*key, *_all_once(masks, failure_iou)) for key, masks in rows.groupby(keys)]
    frame = pd.DataFrame(found, columns=[*IMAGE_LEVEL.key, *METRICS])
    frame["aggregation"] = frame["aggregation"].str.removeprefix(PREFIX)
    return frame[list(IMAGE_LEVEL.columns)]


def _all_once(masks: pd.DataFrame, failure_iou: float) -> list[float]:
    """The values of `METRICS`, every image counted once."""
    ranking = Ranking.of(masks[["image", "iou", "score"]], failure_iou)
    scores: list[float] = ranking.scores(np.ones((1, int(masks["image"].max()) + 1), int))[0].tolist()
    return scores


def image_level_scores(table: pd.DataFrame, failure_iou: float = FAILURE_IOU) -> pd.DataFrame:
    """dataset, method, metric, region ("full"), value: `METRICS` of the mean U of each method on each dataset.

    table: as `table.at_default` gives it, here and below.
    """
    parts = [_rows(d, m, masks, Ranking.of(masks, failure_iou)) for d, m, masks in _cells(table)]
    return pd.concat(parts, ignore_index=True)


def image_level_intervals(
    table: pd.DataFrame,
    facts: Mapping[str, DatasetFacts],
    draws: int = 2000,
    seed: int = 0,
    failure_iou: float = FAILURE_IOU,
) -> pd.DataFrame:
    """Rows as `intervals.intervals` gives them, for the scores of `METRICS`, from the same resamples.

    mean_masks is the score over all masks; mean_images is NaN, for a ranking has no mean over images.
    """
    parts = []
    for dataset, method, masks in _cells(table):
        ranking = Ranking.of(masks, failure_iou)
        weights = resamples(dataset, masks["image"].nunique(), draws, seed, width=len(masks))
        low, high = limits(np.concatenate([ranking.scores(block) for block in weights]))
        n_images, n_ranked = len(np.unique(ranking.images)), len(ranking.images)
        counts = {"n_images": n_images, "n_masks": len(masks), "n_nan": len(masks) - n_ranked}
        parts.append(_rows(dataset, method, masks, ranking).assign(low=low, high=high, **counts))
    rows = pd.concat(parts, ignore_index=True).rename(columns={"value": "mean_masks"})
    return finished(rows.assign(mean_images=np.nan), facts)


def _rows(dataset: str, method: str, masks: pd.DataFrame, ranking: Ranking) -> pd.DataFrame:
    """The scores of one method on one dataset, every image counted once."""
    scores = ranking.scores(np.ones((1, masks["image"].nunique()), int))[0]
    labels = {"dataset": dataset, "method": method, "metric": METRICS, "region": "full"}
    return pd.DataFrame({**labels, "value": scores})


def _cells(table: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Each method of each dataset, and its masks: image (position among the dataset's images), iou, score."""
    chosen = table[(table["region"] == "full") & table["metric"].isin(["iou", "mean_u"])]
    for (dataset, method), cell in chosen.groupby(["dataset", "method"]):
        masks = cell.pivot(index=["image_id", "mask_id"], columns="metric", values="value").reset_index()
        position = np.unique(masks["image_id"], return_inverse=True)[1]
        named = masks.reindex(columns=["iou", "mean_u"]).rename(columns={"mean_u": "score"})
        yield str(dataset), str(method), named.assign(image=position)
