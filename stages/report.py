"""Report: one self-contained page, and every waiting run on its way to MLflow."""

import json
from pathlib import Path

from uncertsam import tracking
from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256, write_json
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config
from uncertsam.data.format import read_split
from uncertsam.experiments.contract import experiments, schemas, tables_of
from uncertsam.figures.provenance import provenance_line
from uncertsam.report.index import Inputs, build
from uncertsam.statistics.comparisons import Plan
from uncertsam.statistics.summary import seconds_of, summary_json
from uncertsam.statistics.table import at_default, unrefined


def main(reports: Path, fitted: Path, benchmark: Path, out: Path) -> None:
    """Write the page; keep it, the tables and the figures with the run."""
    config = Config.read()
    seed = config.base.seed
    inputs = Inputs(
        reports=reports,
        benchmark=benchmark,
        datasets=config.datasets,
        split=config.predict.split,
        params=config.values,
        fitted=_fitted(fitted, benchmark),
        provenance=provenance_line(config.values, sha256(reports / "results.parquet")),
        draws=config.tabulate.resamples,
        seed=seed,
        plan=Plan.of(config.compare, seed),
        experiments=experiments(),
    )
    with tracking.stage("report", {}) as run:
        build(inputs, out)
        tables = tables_of(reports)
        summary = summary_json(unrefined(at_default(tables["results.parquet"])), seconds_of(tables["cost.csv"]))
        write_json(reports / "summary.json", summary)
        run.metrics(summary)
        for name in ("results.parquet", "metrics.json", "reproduction.json", *schemas()):
            if name == "results.parquet" or not name.endswith(".parquet"):
                run.artifact(reports / name)
        run.artifact(out)
        for path in sorted((reports / "figures").glob("*.png")):
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
