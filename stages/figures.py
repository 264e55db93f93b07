"""Figures: draw the tables; no model is needed."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.data.format import read_split
from uncertsam.figures.bars import bars, mask_quality
from uncertsam.figures.examples import choose, load
from uncertsam.figures.provenance import figure_footer
from uncertsam.figures.qualitative import qualitative
from uncertsam.figures.radar import radar
from uncertsam.figures.table import read_intervals, read_results
from uncertsam.files import written_aside
from uncertsam.params import Model, Params, Predict
from uncertsam.stage import run_stage


def main(results: Path, bounds: Path, predictions: Path, benchmark: Path, out: Path) -> None:
    """The paper's radars (Figs. 3 and 6), bars with intervals, mask quality, and a panel per dataset (Figs. 7, 8)."""
    params = Params.read()
    table, frame = read_results(results), read_intervals(bounds)
    split, methods = params.section("predict", Predict).split, params.names("methods")
    foot = figure_footer(params.section("model", Model).name, methods, split, bounds)
    with tracking.stage("figures", {}), written_aside(out) as folder:
        folder.mkdir(parents=True)
        for dataset in params.names("datasets"):  # first: broken files are found before anything is drawn
            truth = read_split(benchmark / dataset / split)
            examples = [load(choice, truth, predictions, methods, table) for choice in choose(table, dataset)]
            qualitative(examples, folder / f"qualitative_{dataset}", foot)
        for metric in ("pearson", "brier"):
            radar(frame, metric, folder / f"{metric}_radar", foot)
            bars(frame, [metric], folder / f"{metric}_bars", foot)
        mask_quality(frame, folder / "mask_quality", foot)
        count = len(list(folder.glob("*.svg")))
    print(f"drew {count} figures")


if __name__ == "__main__":
    run_stage(main)
