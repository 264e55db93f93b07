"""Report: one self-contained page, and every waiting run on its way to MLflow."""

import json
from pathlib import Path

from uncertsam import tracking
from uncertsam.data.format import read_split
from uncertsam.figures.provenance import provenance_line
from uncertsam.files import sha256
from uncertsam.params import Base, Params, Predict, Tabulate
from uncertsam.results.report import Inputs, build
from uncertsam.stage import run_stage


def main(results: Path, metrics: Path, bounds: Path, figures: Path, fitted: Path, benchmark: Path, out: Path) -> None:
    """Write the page; keep it, the tables and the figures with the run."""
    params = Params.read()
    knobs = params.section("tabulate", Tabulate)
    inputs = Inputs(
        results=results,
        intervals=bounds,
        figures=figures,
        benchmark=benchmark,
        datasets=params.names("datasets"),
        split=params.section("predict", Predict).split,
        params=params.values,
        fitted=_fitted(fitted, benchmark),
        provenance=provenance_line(params.values, sha256(results)),
        draws=knobs.resamples,
        seed=params.section("base", Base).seed,
    )
    with tracking.stage("report", {}) as run:
        build(inputs, out)
        for path in (out, results, metrics, bounds):
            run.artifact(path)
        for path in sorted(figures.glob("*.png")):
            run.figure(path)
    print(f"wrote {out}")


def _fitted(posterior: Path, benchmark: Path) -> str:
    """Where the Laplace posterior comes from, in a sentence."""
    manifest = json.loads((posterior / "manifest.json").read_text(encoding="utf-8"))
    names = []
    for name in manifest["data"]:
        synthetic = read_split(benchmark / name / "fit").info.get("synthetic", False)
        names.append(f"{name} (synthetic)" if synthetic else name)
    return (
        f"Laplace was fitted on {manifest['images']} images of {' and '.join(names)}, with prior precision "
        f"{manifest['prior_precision']:.3g}."
    )


if __name__ == "__main__":
    run_stage(main)
