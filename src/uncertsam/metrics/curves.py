"""What is drawn of all pixels of a dataset: reliability diagram and risk-coverage curve, each a mean over masks.

Every mask counts the same, whatever its size, as in the means of the metrics: a mask adds the *shares* of its pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from uncertsam.metrics.calibration import Forecast, reliability
from uncertsam.metrics.ranking import histogram, ratio, risk_coverage

PARTS = 40  # of the coverage axis
RELIABILITY, RISK, ORACLE = KINDS = ("reliability", "risk_coverage", "oracle")
COLUMNS = ["dataset", "method", "kind", "part", "x", "y", "weight"]


@dataclass(frozen=True)
class Curves:
    """One mask's curves: see `calibration.reliability` and `ranking.risk_coverage`.

    oracle: the risk-coverage curve of an uncertainty that ranks every wrong pixel of this mask last.
    """

    reliability: Float[np.ndarray, "3 bins"]
    risk: Float[np.ndarray, " parts"]
    oracle: Float[np.ndarray, " parts"]

    @classmethod
    def of(cls, forecast: Forecast, counts: Int[np.ndarray, " g"], wrong: Float[np.ndarray, " g"]) -> "Curves":
        """The curves of some pixels, and of their levels of uncertainty with the wrong pixels in each."""
        perfect = histogram(forecast.wrong.astype(np.intp), forecast.wrong)
        return cls(reliability(forecast), risk_coverage(counts, wrong, PARTS), risk_coverage(*perfect, PARTS))


def curve_table(dataset: str, method: str, masks: Sequence[Curves]) -> pd.DataFrame:
    """The mean over masks as rows of `COLUMNS`, numbers as float32; no rows where there are no masks.

    reliability: a row per bin of the calibration error; x is the mean probability of the bin's pixels, y how many of
    them are foreground (both NaN in an empty bin), weight the bin's share of all pixels.
    risk_coverage, oracle: a row per part of coverage; x is its middle, y the mean share of wrong pixels among those
    kept, weight its width. The sum of y * weight is the mean AURC over masks.
    """
    if not masks:
        return _rows(np.empty((0, 3)), RELIABILITY, dataset, method)
    share, probability, truth = np.mean([mask.reliability for mask in masks], axis=0)
    middles = (np.arange(PARTS) + 0.5) / PARTS
    risk, oracle = (np.mean([getattr(mask, name) for mask in masks], axis=0) for name in ("risk", "oracle"))
    found = {RELIABILITY: (ratio(probability, share), ratio(truth, share), share)}
    found |= {kind: (middles, y, np.full(PARTS, 1 / PARTS)) for kind, y in ((RISK, risk), (ORACLE, oracle))}
    parts = [_rows(np.stack(columns, axis=1), kind, dataset, method) for kind, columns in found.items()]
    return pd.concat(parts, ignore_index=True)


def _rows(values: Float[np.ndarray, "n 3"], kind: str, dataset: str, method: str) -> pd.DataFrame:
    frame = pd.DataFrame(values.astype(np.float32), columns=["x", "y", "weight"])
    return frame.assign(dataset=dataset, method=method, kind=kind, part=range(len(frame)))[COLUMNS]
