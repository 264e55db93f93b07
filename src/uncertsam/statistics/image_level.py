"""Does a mask's mean uncertainty tell that the mask is bad? Failure detection over the masks of a dataset.

The score of a mask is its mean U, its risk 1 - IoU (full region). Masks without either value are left out.

    image_auroc   of mean U for the event IoU < 0.5; NaN where all masks are of one kind
    image_aurc    area under the risk-coverage curve over masks
    image_augrc   area under the generalised risk-coverage curve over masks (Traub et al., NeurIPS 2024)
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from uncertsam.metrics.ranking import augrc, aurc, auroc
from uncertsam.statistics.intervals import DatasetFacts, finished, limits, resamples

METRICS = ("image_auroc", "image_aurc", "image_augrc")
FAILURE_IOU = 0.5


@dataclass(frozen=True)
class Ranking:
    """Masks in ascending mean U: the position of their image, their risk, and where each tie begins."""

    images: Int[np.ndarray, " n"]
    risks: Float[np.ndarray, " n"]
    failed: Bool[np.ndarray, " n"]
    starts: Int[np.ndarray, " g"]

    @classmethod
    def of(cls, masks: pd.DataFrame, failure_iou: float) -> "Ranking":
        """Rank masks (columns image, iou, mean_u), leaving out those with NaN."""
        masks = masks.dropna().sort_values("mean_u", kind="stable")
        iou = masks["iou"].to_numpy()
        starts = np.unique(masks["mean_u"], return_index=True)[1]
        return cls(masks["image"].to_numpy(), 1 - iou, iou < failure_iou, starts)

    def scores(self, weights: Int[np.ndarray, "b n_images"]) -> Float[np.ndarray, "b 3"]:
        """The values of `METRICS` with every image counted as often as its weight says."""
        often = weights[:, self.images]
        counts, risks, failures = (
            np.add.reduceat(often * value, self.starts, axis=1) for value in (1, self.risks, self.failed)
        )
        return np.stack([auroc(counts, failures), aurc(counts, risks), augrc(counts, risks)], axis=1)


def image_level_scores(table: pd.DataFrame, failure_iou: float = FAILURE_IOU) -> pd.DataFrame:
    """dataset, method, metric, region ("full"), value: the scores of `METRICS` of each method on each dataset."""
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
    """Each method of each dataset, and its masks: image (position among the dataset's images), iou, mean_u."""
    chosen = table[(table["region"] == "full") & table["metric"].isin(["iou", "mean_u"])]
    for (dataset, method), cell in chosen.groupby(["dataset", "method"]):
        masks = cell.pivot(index=["image_id", "mask_id"], columns="metric", values="value").reset_index()
        position = np.unique(masks["image_id"], return_inverse=True)[1]
        yield str(dataset), str(method), masks.reindex(columns=["iou", "mean_u"]).assign(image=position)
