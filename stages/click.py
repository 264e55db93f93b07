"""Click: does a click where a method is unsure help more than a random one? On a fixed subset of masks."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config
from uncertsam.config.sections import ALL
from uncertsam.data.splits import check_unseen
from uncertsam.experiments.clicking.table import CLICKED, CLICKS, DIFFERENCE, KEYS, summary
from uncertsam.statistics.intervals import facts_of


def main(benchmark: Path, embeddings: Path, fitted: Path, reports: Path) -> None:
    """Write every mask's IoU after each click, and means and paired differences with their intervals."""
    from uncertsam.experiments.clicking.run import built, clicked, subset
    from uncertsam.models.checkpoints import device_named, load_model
    from uncertsam.models.store import set_threads

    config = Config.read()
    base, knobs = config.base, config.clicking
    split, draws = config.predict.split, config.tabulate.resamples
    chosen = subset(benchmark, split, config.datasets, knobs)
    check_unseen(chosen, *config.fitted_on(benchmark))
    with tracking.stage("click", knobs.model_dump()) as run:
        set_threads(base.threads)
        model = load_model(config.model.name, config.model.weights, device_named(base.device))
        found = clicked(model, embeddings, chosen, built(config, model, fitted), knobs, base.seed)
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
