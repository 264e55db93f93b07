"""The nested means that people and dashboards read."""

from typing import Any

import pandas as pd

from uncertsam.statistics.image_level import image_level_scores


def metrics_json(table: pd.DataFrame) -> dict[str, dict[str, dict[str, float | None]]]:
    """dataset -> method -> metric -> mean over masks, NaN left out; None where nothing is left.

    `iou` is the full image, `iou_roi` the dilated truth; the image-level scores (`image_auroc` ...) stand beside them.
    """
    means = table.groupby(["dataset", "method", "metric", "region"])["value"].mean()
    scores = image_level_scores(table).set_index(["dataset", "method", "metric", "region"])["value"]
    nested: dict[str, Any] = {}
    for (dataset, method, metric, region), value in pd.concat([means, scores]).items():
        key = metric if region == "full" else f"{metric}_{region}"
        nested.setdefault(dataset, {}).setdefault(method, {})[key] = None if pd.isna(value) else float(value)
    return nested
