"""Predictions as the pipeline leaves them, and tables as it collects them, from made-up numbers."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import save_file

from uncertsam.statistics.table import RESULTS

DOUBT = {"name": "doubt", "label": "doubt", "unit": "1"}  # a measure that only its own map knows


def write_maps(folder: Path, index: pd.DataFrame, maps: dict[str, np.ndarray], measure: dict[str, str] = DOUBT) -> Path:
    """A cell; index: image_id and mask_id of each row, in their order unless `row` says otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    given = {"row": range(len(index)), "iou_predicted": 0.75}
    index.assign(**{name: value for name, value in given.items() if name not in index}).to_parquet(
        folder / "index.parquet"
    )
    save_file(maps, folder / "maps.safetensors")
    side = next(iter(maps.values())).shape[-1]
    layout = {"image_size": 4 * side, "mask_size": side}
    (folder / "meta.json").write_text(json.dumps({"measure": measure, "layout": layout}))
    return folder


def long(table: pd.DataFrame, model: str = "sam2_nano", measure: str = "predictive_entropy") -> pd.DataFrame:
    """A table of one model and measure as `results.parquet` has it."""
    whole = {"image_id": 1, "mask_id": 1, "region": "full"} | {"model": model, "measure": measure, "level": "pixel"}
    return table.assign(**{name: value for name, value in whole.items() if name not in table})[list(RESULTS.columns)]
