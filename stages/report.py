"""Report: one self-contained page, and every waiting run on its way to MLflow."""

import json
from pathlib import Path

from uncertsam import tracking
from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256, write_json
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config
from uncertsam.data.format import read_split
from uncertsam.experiments.cost.table import COST, seconds_of
from uncertsam.experiments.refinement.section import RefinedFiles
from uncertsam.figures.provenance import provenance_line
from uncertsam.report.answers_section import AnswerFiles
from uncertsam.report.index import Inputs, build
from uncertsam.statistics.comparisons import Plan
from uncertsam.statistics.summary import summary_json
from uncertsam.statistics.table import RESULTS, at_default

TABLES = (
    "results.parquet", "metrics.json", "intervals.csv", "controls.csv", "answers.csv", "refinement.csv",
    "refinement_answers.csv", "cost.csv", "reproduction.json",
)  # fmt: skip


def main(reports: Path, fitted: Path, benchmark: Path, out: Path) -> None:
    """Write the page; keep it, the tables and the figures with the run."""
    tables, figures = [reports / name for name in TABLES], reports / "figures"
    results, _, bounds, controls, answers, refined, refined_answers, cost, reproduction = tables
    config = Config.read()
    knobs = config.tabulate
    seed = config.base.seed
    plan = Plan.of(config.compare, seed)
    inputs = Inputs(
        results=results,
        intervals=bounds,
        figures=figures,
        benchmark=benchmark,
        datasets=config.datasets,
        split=config.predict.split,
        params=config.values,
        fitted=_fitted(fitted, benchmark),
        provenance=provenance_line(config.values, sha256(results)),
        draws=knobs.resamples,
        seed=seed,
        controls=controls,
        refined=RefinedFiles(refined, refined_answers),
        answers=AnswerFiles(answers, cost, reproduction, plan),
    )
    with tracking.stage("report", {}) as run:
        build(inputs, out)
        summary = summary_json(at_default(RESULTS.read(results)), seconds_of(COST.read(cost)))
        write_json(reports / "summary.json", summary)
        run.metrics(summary)
        for path in (out, *tables):
            run.artifact(path)
        for path in sorted(figures.glob("*.png")):
            run.figure(path)
    print(f"wrote {out}")


def _fitted(posterior: Path, benchmark: Path) -> str:
    """Where the Laplace posterior comes from, in a sentence."""
    path = posterior / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        images, precision, sets = int(manifest["images"]), float(manifest["prior_precision"]), list(manifest["data"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error!r}).", "Run the fit_laplace stage again.") from None
    synthetic = {name: read_split(benchmark / name / "fit").info.get("synthetic", False) for name in sets}
    names = " and ".join(f"{name} (synthetic)" if made else name for name, made in synthetic.items())
    return f"Laplace was fitted on {images} images of {names}, with prior precision {precision:.3g}."


if __name__ == "__main__":
    run_stage(main)
