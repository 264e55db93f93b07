"""All metrics of one mask at the image's own resolution. What is measured, and when there is no answer:

Both maps are upsampled alike (`Layout.to_picture`), the mask is logit > 0, a pixel is wrong where the mask differs
from the truth M, and the error that Pearson and Spearman follow is |P - M|. Void pixels count nowhere.

    iou, dice                    overlap of mask and truth; NaN where both are empty
    boundary_iou_0.02, _0.01     overlap of the inner boundaries, found on the whole image; NaN where both are empty
    pearson, spearman            of U and |P - M|; NaN where |P - M| is constant, else 0 where U is constant
    brier, nll, ece              of P (see `calibration`); P is held in [1e-7, 1 - 1e-7] for nll alone
    aurc, augrc                  of U and wrong pixels; both 0 where no pixel is wrong
    auroc                        of U and wrong pixels; NaN where no pixel or every pixel is wrong
    mean_u, error_rate           mean uncertainty ("sharpness"), share of wrong pixels

Every metric is NaN in a region without pixels: in `roi` where the truth is empty or void. (`roi` is what the authors
mark by the suffix `_`.)
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from uncertsam.metrics._blocks import count, lookup
from uncertsam.metrics._correlation import pearson, spearman
from uncertsam.metrics.aggregation import Doubt, Places, baseline_scores, scores
from uncertsam.metrics.boundary import boundary_width, inner_boundary
from uncertsam.metrics.calibration import Forecast, brier, expected_calibration_error
from uncertsam.metrics.curves import Curves
from uncertsam.metrics.ranking import COARSE, Ranks, augrc, aurc, auroc, histogram, levels_of, ratio
from uncertsam.metrics.region import BOUNDARY_RATIOS, REGIONS, TruthSide
from uncertsam.metrics.stored import StoredMask

OVERLAPS = ("iou", *(f"boundary_iou_{r}" for r in BOUNDARY_RATIOS), "dice")
PIXEL_METRICS = (
    "pearson", "spearman", "brier", "nll", "ece", "aurc", "augrc", "auroc", "mean_u", "error_rate",
)  # fmt: skip
METRICS = OVERLAPS + PIXEL_METRICS
RANKING = ("pearson", "spearman", "aurc", "augrc", "auroc")  # of any measure; the others do not look at U
PIXEL, MASK = LEVELS = ("pixel", "mask")  # what a number is about: pixels, or one mask as a whole
Key = tuple[str, str, str, str]  # measure, level, metric, region


def measure_mask(
    side: TruthSide,
    logits: Float[np.ndarray, "h w"],
    uncertainty: Float[np.ndarray, "h w"],
    ranks: Ranks = "bits",
) -> dict[tuple[str, str], float]:
    """Every metric of `METRICS` in every region of `REGIONS`, as {(metric, region): value}.

    `logits` is the logit of the mean probability, `uncertainty` any number that grows with doubt; both finite, read as
    float32, and of the truth's size. `ranks` says how pixels are ranked: "exact" (a sort), or "bits" (a histogram where
    they are many, within 1e-5).
    """
    return _measured(side, logits, uncertainty, ranks)[0]


def examine_mask(side: TruthSide, stored: StoredMask, ranks: Ranks = "bits") -> tuple[dict[Key, float], Curves | None]:
    """All that the long table holds of one mask, and the curves of the full region; None where it has no pixels.

    Of the method's own measure: the metrics of `measure_mask`, the IoU that the model predicts and its own scores. Of
    every measure: the metrics of `RANKING` on the full region, and the scores of `aggregation`.
    """
    size = side.truth.shape
    own, *others = stored.measures
    logits, uncertainty = stored.large(size)
    metrics, pixels = _measured(side, logits, uncertainty, ranks)
    found = {
        (own.name, MASK if metric in OVERLAPS else PIXEL, metric, region): v for (metric, region), v in metrics.items()
    }
    places = Places.of(side, logits > 0)
    whole = {
        "predicted_iou": stored.iou,
        **baseline_scores(side, logits, stored.iou),
        **scores(pixels.doubt, places),
    }
    found |= {(own.name, MASK, metric, "full"): value for metric, value in whole.items()}
    for measure in others:
        again = pixels.by(side, stored.layout.to_picture(measure.of(stored.maps), size), ranks)
        found |= {(measure.name, PIXEL, metric, "full"): value for metric, value in again.ranking().items()}
        found |= {(measure.name, MASK, m, "full"): value for m, value in scores(again.doubt, places).items()}
    return found, pixels.curves() if pixels.uncertainty.size else None


def _measured(
    side: TruthSide, logits: Float[np.ndarray, "h w"], uncertainty: Float[np.ndarray, "h w"], ranks: Ranks
) -> tuple[dict[tuple[str, str], float], "_Pixels"]:
    """The metrics, and the pixels of the full region."""
    logits, uncertainty = (values.astype(np.float32, copy=False) for values in (logits, uncertainty))
    pixels = _Pixels.of(side, logits, uncertainty, ranks)
    parts = {name: pixels.at(region) for name, region in side.regions.items()}
    found = {(metric, name): value for name, part in parts.items() for metric, value in part.metrics().items()}
    return _overlaps(side, logits > 0) | found, parts["full"]


def _overlaps(side: TruthSide, predicted: Bool[np.ndarray, "h w"]) -> dict[tuple[str, str], float]:
    found = {}
    for name in REGIONS:
        inside = side.inside[name]
        both, either = _counts(predicted, side.truth, inside)
        found["iou", name] = float(ratio(both, either))
        found["dice", name] = float(ratio(2 * both, both + either))
    for depth_ratio, truth in side.boundaries.items():
        boundary = inner_boundary(predicted, boundary_width(depth_ratio, *predicted.shape))
        for name in REGIONS:
            overlap = ratio(*_counts(boundary, truth, side.inside[name]))
            found[f"boundary_iou_{depth_ratio}", name] = float(overlap)
    return found


def _counts(
    one: Bool[np.ndarray, "h w"], other: Bool[np.ndarray, "h w"], inside: Bool[np.ndarray, "h w"]
) -> tuple[int, int]:
    """The sizes of intersection and union within a region."""
    return int(np.count_nonzero(one & other & inside)), int(np.count_nonzero((one | other) & inside))


@dataclass(frozen=True)
class _Pixels:
    """The pixels of one region; levels found in a region keep their order in any part of it."""

    forecast: Forecast
    uncertainty: Float[np.ndarray, " n"]
    levels: Int[np.ndarray, " n"]
    error_levels: Int[np.ndarray, " n"]

    @classmethod
    def of(
        cls, side: TruthSide, logits: Float[np.ndarray, "h w"], uncertainty: Float[np.ndarray, "h w"], ranks: Ranks
    ) -> "_Pixels":
        """The pixels of the full region in the order of `side`.

        All numbers lie in one piece of memory: the system hands out a large one in larger pages, and faster.
        """
        room = np.empty((7, side.order.size), np.float32)
        z, u = (lookup(m.ravel(), side.order, row) for m, row in zip((logits, uncertainty), room, strict=False))
        forecast = Forecast.of(z, side.ordered, room[3:])
        error_levels = levels_of(forecast.error_logit, ranks, room[2].view(np.int32))
        return cls(forecast, u, levels_of(u, ranks, room[0].view(np.int32)), error_levels)  # nobody asks for z again

    def at(self, pixels: slice) -> "_Pixels":
        arrays = (a[pixels] for a in (self.uncertainty, self.levels, self.error_levels))
        return _Pixels(self.forecast.at(pixels), *arrays)

    def by(self, side: TruthSide, uncertainty: Float[np.ndarray, "h w"], ranks: Ranks) -> "_Pixels":
        """The pixels of the full region by another uncertainty, in coarse levels unless they are to be exact."""
        u = lookup(uncertainty.astype(np.float32, copy=False).ravel(), side.order)
        errors = self.error_levels if ranks == "exact" else self._coarse_errors
        return _Pixels(self.forecast, u, levels_of(u, ranks, levels=COARSE), errors)

    @cached_property
    def _coarse_errors(self) -> Int[np.ndarray, " n"]:
        return levels_of(self.forecast.error_logit, "bits", levels=COARSE)

    @property
    def doubt(self) -> Doubt:
        """What aggregations see."""
        return Doubt(self.uncertainty, self.levels, self.counts)

    @cached_property
    def counts(self) -> Int[np.ndarray, " g"]:
        """How many pixels each level holds."""
        return count(self.levels)

    @cached_property
    def ranked(self) -> tuple[Int[np.ndarray, " g"], Float[np.ndarray, " g"]]:
        """How many pixels each level that occurs holds, and how many of them are wrong."""
        return histogram(self.levels, self.forecast.wrong, self.counts)

    def metrics(self) -> dict[str, float]:
        """The metrics of `PIXEL_METRICS`, in their order."""
        if not self.uncertainty.size:
            return dict.fromkeys(PIXEL_METRICS, float("nan"))
        forecast, ranking = self.forecast, self.ranking()
        found = {
            "brier": brier(forecast.residual),
            "nll": float(forecast.surprise.mean(dtype=np.float64)),
            "ece": expected_calibration_error(forecast.probability, forecast.residual),
            "mean_u": float(self.uncertainty.mean(dtype=np.float64)),
            "error_rate": np.count_nonzero(forecast.wrong) / forecast.wrong.size,
        }
        return {metric: ranking[metric] if metric in ranking else found[metric] for metric in PIXEL_METRICS}

    def ranking(self) -> dict[str, float]:
        """The metrics of `RANKING`."""
        if not self.uncertainty.size:
            return dict.fromkeys(RANKING, float("nan"))
        values = (
            pearson(self.uncertainty, np.abs(self.forecast.residual)),
            spearman(self.levels, self.error_levels, self.counts),
            *(float(measure(*self.ranked)) for measure in (aurc, augrc, auroc)),
        )
        return dict(zip(RANKING, values, strict=True))

    def curves(self) -> Curves:
        """What is drawn of these pixels; there must be some."""
        return Curves.of(self.forecast, *self.ranked)
