"""`clicking.parquet`, a row per mask and click, and `clicking.csv`: means and paired differences with intervals.

kind         policy            value
mean         each              mean IoU over masks after so many clicks
difference   guided, oracle    that of the policy less that of random clicks, on the same masks

Both by dataset and over all of them ("all"), where each image keeps its own resampling. low, high: 95 %, images are
resampled. note: as in `results.intervals`.
"""

from collections.abc import Mapping

import pandas as pd

from uncertsam.config.sections import ALL, refuse_reserved
from uncertsam.statistics.intervals import DatasetFacts, intervals
from uncertsam.statistics.schema import COUNT, FLAG, NUMBER, WORD, Column, Schema

# where the method is most unsure, anywhere near the object, and at the largest error
GUIDED, RANDOM, ORACLE = POLICIES = ("guided", "random", "oracle")
KEYS = ["dataset", "image_id", "mask_id", "method", "policy", "clicks"]
SUMMED = ["kind", "dataset", "method", "policy", "clicks"]
MEAN, DIFFERENCE = "mean", "difference"
_POLICY = Column("str", words=POLICIES)
CLICKS = Schema(
    "clicking.parquet",
    "Run the click stage.",
    {"dataset": WORD, "image_id": COUNT, "mask_id": COUNT, "method": WORD, "policy": _POLICY, "clicks": COUNT,
     "iou": Column(within=(0.0, 1.0))},
    KEYS,
)  # fmt: skip
CLICKED = Schema(
    "clicking.csv",
    "Run the click stage.",
    {"kind": Column("str", words=(MEAN, DIFFERENCE)), "dataset": WORD, "method": WORD, "policy": _POLICY,
     "clicks": COUNT, "value": NUMBER, "low": NUMBER, "high": NUMBER, "n_images": COUNT, "n_masks": COUNT,
     "note": WORD, "synthetic": FLAG, "quality": WORD},
    SUMMED,
    between="value",
    decimals=8,
)  # fmt: skip
COLUMNS = list(CLICKS.columns)


def summary(table: pd.DataFrame, facts: Mapping[str, DatasetFacts], draws: int, seed: int) -> pd.DataFrame:
    """The rows of `CLICKED` from the table of `COLUMNS`. draws, seed: of the bootstrap."""
    refuse_reserved(table["dataset"].unique(), "clicking", "Give it another name in params.yaml.")
    both = pd.concat([table, _pooled(table)], ignore_index=True)
    told = {**facts, ALL: _facts_of_all(facts)}
    parts = {MEAN: both.rename(columns={"iou": "value"}), DIFFERENCE: _differences(both)}
    found = [_summed(rows, told, draws, seed).assign(kind=kind) for kind, rows in parts.items()]
    return pd.concat(found)[list(CLICKED.columns)].sort_values(SUMMED, ignore_index=True)


def _pooled(table: pd.DataFrame) -> pd.DataFrame:
    """All datasets as one, whose images keep apart."""
    images = table.groupby(["dataset", "image_id"]).ngroup()
    return table.assign(image_id=images, mask_id=table.groupby(["dataset", "mask_id"]).ngroup(), dataset=ALL)


def _facts_of_all(facts: Mapping[str, DatasetFacts]) -> DatasetFacts:
    qualities = {each.quality for each in facts.values()}
    return DatasetFacts(any(f.synthetic for f in facts.values()), "mixed" if len(qualities) > 1 else qualities.pop())


def _differences(table: pd.DataFrame) -> pd.DataFrame:
    """Policy less random, mask by mask."""
    wide = table.pivot(index=[k for k in KEYS if k != "policy"], columns="policy", values="iou")
    gaps = wide[[GUIDED, ORACLE]].sub(wide[RANDOM], axis=0)
    return gaps.reset_index().melt([k for k in KEYS if k != "policy"], [GUIDED, ORACLE], "policy", "value")


def _summed(rows: pd.DataFrame, facts: Mapping[str, DatasetFacts], draws: int, seed: int) -> pd.DataFrame:
    """The means of `results.intervals`, to which policy and number of clicks are a metric and a region."""
    long = rows.rename(columns={"policy": "metric", "clicks": "region"})
    found = intervals(long, facts, draws, seed)
    return found.rename(columns={"metric": "policy", "region": "clicks", "mean_masks": "value"})
