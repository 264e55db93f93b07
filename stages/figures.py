"""Figures: draw the tables; no model is needed."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.base.files import written_aside
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config
from uncertsam.data.format import read_split
from uncertsam.experiments.contract import Predicted, experiments, tables_of
from uncertsam.figures.bars import bars, mask_quality
from uncertsam.figures.curves import reliability, risk_coverage
from uncertsam.figures.examples import choose, choose_failure, load
from uncertsam.figures.forest import forest
from uncertsam.figures.provenance import figure_footer
from uncertsam.figures.qualitative import qualitative
from uncertsam.figures.radar import radar
from uncertsam.figures.teaser import teaser
from uncertsam.statistics.table import at_default, unrefined


def main(reports: Path, predictions: Path, benchmark: Path, out: Path) -> None:
    """The paper's Figs. 1 and 2 in one, radars (3, 6), panels (7, 8); bars, quality, curves, differences; and more."""
    config, tables = Config.read(), tables_of(reports)
    judged, methods = config.compare, list(config.methods)
    split, model = config.predict.split, config.model.name
    table, frame = (unrefined(t) for t in (at_default(tables["results.parquet"]), tables["intervals.csv"]))
    drawn = tables["curves.parquet"]
    splits = {dataset: read_split(benchmark / dataset / split) for dataset in config.datasets}
    predicted = Predicted(predictions, splits, methods)
    own = [(e, stem, f, f.read(tables, predicted)) for e in experiments() for stem, f in e.figures.items()]

    def foot(name: str, *made_by: str) -> str:
        return figure_footer(model, made_by or methods, split, reports / name)

    with tracking.stage("figures", {}), written_aside(out) as folder:
        folder.mkdir(parents=True)
        for dataset, truth in splits.items():  # first: broken files are found before anything is drawn
            examples = [load(choice, truth, predictions, methods, table) for choice in choose(table, dataset)]
            qualitative(examples, folder / f"qualitative_{dataset}", foot("intervals.csv"))
        for metric in ("pearson", "brier"):
            radar(frame, metric, folder / f"{metric}_radar", foot("intervals.csv"))
            bars(frame, [metric], folder / f"{metric}_bars", foot("intervals.csv"))
        mask_quality(frame, folder / "mask_quality", foot("intervals.csv"))
        for draw in (reliability, risk_coverage):
            draw(drawn, frame, folder / draw.__name__, foot("curves.parquet"))
        compared = tables["answers.csv"]
        judged_by = [m for m in ("pearson", "brier") if m in judged.metrics] or judged.metrics[:2]
        for reference in [name for name in judged.references if name in set(compared["reference"])]:
            forest(compared, reference, judged_by, folder / f"forest_{reference}", foot("answers.csv"))
        for experiment, stem, figure, numbers in own:
            if not numbers.empty:
                made_by = [] if figure.made else [experiment.stage]
                figure.draw(numbers, folder / stem, foot(figure.table, *made_by))
        failure = choose_failure(table, splits)
        example = load(failure, splits[failure.dataset], predictions, methods, table)
        teaser(example, folder / "teaser", foot("intervals.csv"))
        count = len(list(folder.glob("*.svg")))
    print(f"drew {count} figures")


if __name__ == "__main__":
    run_stage(main)
