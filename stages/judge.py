"""Judge: what of the paper reproduces here, what does not, and why; each claim by the rule that stands beside it."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.base.files import sha256, write_json
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Answers, Base, Model, Params, Predict
from uncertsam.figures.provenance import provenance_line
from uncertsam.report.reproduction import Judged, Sources, build, gather, reproduction_json


def main(reports: Path, benchmark: Path, out: Path) -> None:
    """Write the verdicts and their page."""
    results, refinement, controls = tables = [
        reports / "results.parquet", reports / "refinement.parquet", reports / "controls.parquet",
    ]  # fmt: skip
    params = Params.read()
    knobs, split = params.section("answers", Answers), params.section("predict", Predict).split
    sources = Sources(results, benchmark, params.names("datasets"), split, refinement, controls, params.values)
    settings = {"answers": knobs.model_dump(), "split": split, "model": params.section("model", Model).name}
    hashes = [sha256(path) for path in tables if path.is_file()]
    with tracking.stage("judge", knobs.model_dump()) as run:
        judged = Judged.of(gather(sources, knobs, params.section("base", Base).seed))
        build(judged, provenance_line(settings, hashes), out)
        write_json(out.with_suffix(".json"), reproduction_json(judged))
        run.metrics({"claims": judged.counts})
        run.artifact(out)
    print(", ".join(f"{count} {verdict}" for verdict, count in judged.counts.items()))


if __name__ == "__main__":
    run_stage(main)
