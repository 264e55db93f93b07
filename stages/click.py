"""Click: does a click where a method is unsure help more than a random one? On a fixed subset of masks."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.base.stage import run_stage
from uncertsam.config.clicking import Clicking
from uncertsam.config.params import Base, Model, Params, Predict, Tabulate
from uncertsam.config.sections import ALL
from uncertsam.data.splits import check_unseen
from uncertsam.experiments.clicking.table import CLICKED, CLICKS, DIFFERENCE, KEYS, summary
from uncertsam.statistics.intervals import facts_of


def main(benchmark: Path, embeddings: Path, weights: Path, fitted: Path, reports: Path) -> None:
    """Write every mask's IoU after each click, and means and paired differences with their intervals."""
    from uncertsam.experiments.clicking.run import built, clicked, subset
    from uncertsam.models.checkpoints import device_named, load_model
    from uncertsam.models.store import set_threads

    params = Params.read()
    base, knobs = params.section("base", Base), params.section("clicking", Clicking)
    split, draws = params.section("predict", Predict).split, params.section("tabulate", Tabulate).resamples
    chosen = subset(benchmark, split, params.names("datasets"), knobs)
    check_unseen(chosen, *params.fitted_on(benchmark))
    with tracking.stage("click", knobs.model_dump()) as run:
        set_threads(base.threads)
        model = load_model(params.section("model", Model).name, weights, device_named(base.device))
        found = clicked(model, embeddings, chosen, built(params, knobs, model, fitted), knobs, base.seed)
        frame = summary(found, {name: facts_of(each) for name, each in chosen.items()}, draws, base.seed)
        CLICKS.write(reports / "clicking.parquet", found.sort_values(KEYS, ignore_index=True))
        CLICKED.write(reports / "clicking.csv", frame)
        last = frame[(frame["kind"] == DIFFERENCE) & (frame["dataset"] == ALL) & (frame["clicks"] == knobs.clicks)]
        run.metrics({f"{r['method']}.{r['policy']}": r["value"] for r in last.to_dict("records")})
    columns = ["method", "policy", "value", "low", "high", "n_images", "n_masks"]
    print(f"IoU after {knobs.clicks} clicks, less that of random ones:")
    print(last[columns].to_string(index=False, float_format="%.3f"))


if __name__ == "__main__":
    run_stage(main)
