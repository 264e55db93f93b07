"""Compare: is any method better than the model's own entropy, or than the distance to the outline?"""

from pathlib import Path

from uncertsam import tracking
from uncertsam.base.files import write_json
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config
from uncertsam.data.format import read_split
from uncertsam.experiments.refinement.compare import COMPARED, compared
from uncertsam.statistics.answers import answer_metrics, answers_json, limits_of_proof
from uncertsam.statistics.comparisons import ANSWERS, Plan, compare
from uncertsam.statistics.intervals import facts_of
from uncertsam.statistics.table import RESULTS, at_default, unrefined


def main(results: Path, benchmark: Path, reports: Path) -> None:
    """Compare every method with every reference, by the metrics that params.yaml registers; and refined masks."""
    config = Config.read()
    knobs, split = config.compare, config.predict.split
    plan = Plan.of(knobs, config.base.seed)
    with tracking.stage("compare", knobs.model_dump()) as run:
        facts = {name: facts_of(read_split(benchmark / name / split)) for name in config.datasets}
        table = at_default(RESULTS.read(results))
        frame = compare(unrefined(table), facts, plan)
        ANSWERS.write(reports / "answers.csv", frame)
        again = compared(table, facts, config.tabulate.resamples, config.base.seed)
        COMPARED.write(reports / "refinement_answers.csv", again)
        write_json(reports / "answers.json", answers_json(frame, plan))
        run.metrics(answer_metrics(frame))
    print(
        f"compared {frame['method'].nunique()} methods, {len(frame)} answers", *limits_of_proof(frame, plan), sep="\n"
    )


if __name__ == "__main__":
    run_stage(main)
