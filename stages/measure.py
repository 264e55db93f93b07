"""Measure: every metric of every mask of one method on one dataset, at the original resolution; and its curves."""

from functools import partial
from pathlib import Path

from tqdm import tqdm

from uncertsam import tracking
from uncertsam.metrics.measure import measure_cell
from uncertsam.params import Params, Predict
from uncertsam.results.curves import write_curves
from uncertsam.results.table import write_table
from uncertsam.stage import run_stage


def main(method: str, dataset: str, benchmark: Path, predictions: Path, out: Path, curves: Path) -> None:
    """Compare one cell's maps with the truth."""
    split = Params.read().section("predict", Predict).split
    with tracking.stage("measure", {}, method=method, dataset=dataset) as run:
        progress = partial(tqdm, desc="measure", disable=None)
        measured = measure_cell(predictions, benchmark / split, method, dataset, progress)
        table = measured.table
        write_table(out, table)
        write_curves(curves, measured.curves)
        means = table[table["region"] == "full"].groupby("metric")["value"].mean()
        run.metrics({str(metric): value for metric, value in means.items()})
    print(f"measured {table['mask_id'].nunique()} masks of {method} on {dataset}")


if __name__ == "__main__":
    run_stage(main)
