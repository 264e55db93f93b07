"""The nested means that people and dashboards read."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from uncertsam.statistics.image_level import image_level_scores

SUMMARY = ("pearson", "aurc", "brier", "nll", "iou", "augrc")  # on the whole image


def summary_json(table: pd.DataFrame, seconds: Mapping[str, float]) -> dict[str, dict[str, float | None]]:
    """method -> the metrics of `SUMMARY`, means over datasets of means over masks, and what else machines compare.

    table: as `table.at_default` gives it. seconds: per mask and method. augrc_image is None until masks are ranked over
    whole images; None is also a metric without any value, and the seconds of a method that was not timed.
    """
    rows = table[(table["region"] == "full") & table["metric"].isin(SUMMARY)]
    means = rows.groupby(["method", "metric", "dataset"])["value"].mean().groupby(level=[0, 1]).mean().unstack()
    return {str(method): _summary(row, seconds.get(str(method))) for method, row in means.iterrows()}


def _summary(means: pd.Series, seconds: float | None) -> dict[str, float | None]:
    found = {name: float(means.get(name, float("nan"))) for name in SUMMARY}
    numbers = {name: None if pd.isna(value) else value for name, value in found.items()}
    return numbers | {"augrc_image": None, "seconds": seconds}


def seconds_of(cost: pd.DataFrame) -> dict[str, float]:
    """Seconds per mask of each method, from cost.csv."""
    rows = cost[cost["unit"] == "mask"]
    return {str(name): float(ms) / 1000 for name, ms in zip(rows["method"], rows["ms"], strict=True)}


def metrics_json(table: pd.DataFrame) -> dict[str, dict[str, dict[str, float | None]]]:
    """dataset -> method -> metric -> mean over masks, NaN left out; None where nothing is left.

    table: as `table.at_default` gives it. `iou` is the full image, `iou_roi` the dilated truth; the image-level scores
    (`image_auroc` ...) stand beside them.
    """
    means = table.groupby(["dataset", "method", "metric", "region"])["value"].mean()
    scores = image_level_scores(table).set_index(["dataset", "method", "metric", "region"])["value"]
    nested: dict[str, Any] = {}
    for (dataset, method, metric, region), value in pd.concat([means, scores]).items():
        key = metric if region == "full" else f"{metric}_{region}"
        nested.setdefault(dataset, {}).setdefault(method, {})[key] = None if pd.isna(value) else float(value)
    return nested
