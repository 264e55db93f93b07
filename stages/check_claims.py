"""Check the claims: what of the paper reproduces here, what does not, and why; each by the rule beside it."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.base.files import sha256, write_json
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config
from uncertsam.figures.provenance import provenance_line
from uncertsam.report.reproduction import Judged, Sources, build, gather, reproduction_json


def main(reports: Path, benchmark: Path, out: Path) -> None:
    """Write the verdicts and their page."""
    results, controls = tables = [reports / "results.parquet", reports / "controls.parquet"]
    config = Config.read()
    knobs, split = config.compare, config.predict.split
    sources = Sources(results, benchmark, config.datasets, split, controls, config.values)
    settings = {"compare": knobs.model_dump(), "split": split, "model": config.model.name}
    hashes = [sha256(path) for path in tables if path.is_file()]
    with tracking.stage("check_claims", knobs.model_dump()) as run:
        judged = Judged.of(gather(sources, knobs, config.base.seed))
        build(judged, provenance_line(settings, hashes), out)
        write_json(out.with_suffix(".json"), reproduction_json(judged))
        run.metrics({"claims": judged.counts})
        run.artifact(out)
    print(", ".join(f"{count} {verdict}" for verdict, count in judged.counts.items()))


if __name__ == "__main__":
    run_stage(main)
