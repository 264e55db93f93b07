"""Figures: draw the tables; no model is needed."""

from pathlib import Path

import pandas as pd

from uncertsam import tracking
from uncertsam.base.files import written_aside
from uncertsam.base.stage import run_stage
from uncertsam.catalogue import QUALITY
from uncertsam.config.params import Config
from uncertsam.data.format import read_split
from uncertsam.experiments.clicking.figure import clicking as draw_clicking
from uncertsam.experiments.clicking.table import CLICKED
from uncertsam.experiments.controls.figure import waterfall
from uncertsam.experiments.controls.table import CONTROLS
from uncertsam.experiments.decomposition import METHOD as COMBINED
from uncertsam.experiments.decomposition import decomposition, shares
from uncertsam.experiments.guarantees.figure import guarantees as draw_guarantees
from uncertsam.experiments.guarantees.table import GUARANTEES
from uncertsam.experiments.refinement.names import PLAIN, steps_of
from uncertsam.figures.bars import bars, mask_quality
from uncertsam.figures.curves import reliability, risk_coverage
from uncertsam.figures.examples import choose, choose_failure, load
from uncertsam.figures.forest import forest
from uncertsam.figures.provenance import figure_footer
from uncertsam.figures.qualitative import qualitative
from uncertsam.figures.radar import radar
from uncertsam.figures.teaser import teaser
from uncertsam.statistics.comparisons import ANSWERS
from uncertsam.statistics.curves import CURVES
from uncertsam.statistics.intervals import INTERVALS
from uncertsam.statistics.table import RESULTS, at_default


def main(reports: Path, predictions: Path, benchmark: Path, out: Path) -> None:
    """The paper's Figs. 1 and 2 in one, radars (3, 6), panels (7, 8); bars, quality, curves, controls, differences."""
    config = Config.read()
    judged = config.compare
    bounds, curves, controls = (reports / name for name in ("intervals.csv", "curves.parquet", "controls.csv"))
    answers, guarantees, clicks = (reports / name for name in ("answers.csv", "guarantees.csv", "clicking.csv"))
    refined, refined_answers = reports / "refinement.csv", reports / "refinement_answers.csv"
    table, frame, drawn = (
        at_default(RESULTS.read(reports / "results.parquet")),
        INTERVALS.read(bounds),
        CURVES.read(curves),
    )
    controlled, compared = CONTROLS.read(controls), ANSWERS.read(answers)
    promised, clicked = GUARANTEES.read(guarantees), CLICKED.read(clicks)
    split, methods = config.predict.split, list(config.methods)
    model = config.model.name
    foot = figure_footer(model, methods, split, bounds)
    splits = {dataset: read_split(benchmark / dataset / split) for dataset in config.datasets}
    with tracking.stage("figures", {}), written_aside(out) as folder:
        folder.mkdir(parents=True)
        for dataset, truth in splits.items():  # first: broken files are found before anything is drawn
            examples = [load(choice, truth, predictions, methods, table) for choice in choose(table, dataset)]
            qualitative(examples, folder / f"qualitative_{dataset}", foot)
        for metric in ("pearson", "brier"):
            radar(frame, metric, folder / f"{metric}_radar", foot)
            bars(frame, [metric], folder / f"{metric}_bars", foot)
        mask_quality(frame, folder / "mask_quality", foot)
        for name, draw in {"reliability": reliability, "risk_coverage": risk_coverage}.items():
            draw(drawn, frame, folder / name, figure_footer(model, methods, split, curves))
        waterfall(controlled, folder / "controls_waterfall", figure_footer(model, ["ablate"], split, controls))
        judged_by = [m for m in ("pearson", "brier") if m in judged.metrics] or judged.metrics[:2]
        for reference in [name for name in judged.references if name in set(compared["reference"])]:
            stem = folder / f"forest_{reference}"
            forest(compared, reference, judged_by, stem, figure_footer(model, methods, split, answers))
        if not promised.empty:  # no dataset has images enough to calibrate on some and test on others
            draw_guarantees(promised, folder / "guarantees", figure_footer(model, ["guarantee"], split, guarantees))
        draw_clicking(clicked, folder / "clicking", figure_footer(model, ["click"], split, clicks))
        if COMBINED in methods:
            decomposition(shares(predictions, splits), folder / "decomposition", foot)
        means, arms = _refined(INTERVALS.read(refined), 0, 1), _refined(ANSWERS.read(refined_answers), 1)
        shown = figure_footer(model, ["refine"], split, refined)
        mask_quality(means, folder / "refinement_quality", shown, title="Masks, refined once")
        shown = figure_footer(model, ["refine"], split, refined_answers)
        forest(arms, PLAIN, QUALITY, folder / "refinement_forest", shown, title="Does refining help?")
        failure = choose_failure(table, splits)
        teaser(load(failure, splits[failure.dataset], predictions, methods, table), folder / "teaser", foot)
        count = len(list(folder.glob("*.svg")))
    print(f"drew {count} figures")


def _refined(frame: pd.DataFrame, *times: int) -> pd.DataFrame:
    """The rows of what was refined so many times."""
    return frame[frame["method"].map(steps_of).isin(times)]


if __name__ == "__main__":
    run_stage(main)
