"""Time: what each method costs, in milliseconds and megabytes per mask; all in one process, taking turns."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config
from uncertsam.data.format import read_split
from uncertsam.experiments.cost.table import COST


def main(dataset: str, benchmark: Path, embeddings: Path, fitted: Path, out: Path) -> None:
    """Time every method on a few masks that are not reported: their numbers change from run to run."""
    from uncertsam.base.registry import load_method
    from uncertsam.experiments.cost.timing import Timed, clock, questions, size_of
    from uncertsam.models.checkpoints import device_named, load_model
    from uncertsam.models.store import DTYPES, open_embeddings, set_threads

    config = Config.read()
    base, knobs, chosen = config.base, config.time, config.model
    with tracking.stage("time", knobs.model_dump()) as run:
        set_threads(base.threads)
        model = load_model(chosen.name, chosen.weights, device_named(base.device))
        methods = {}
        for name, section in config.methods.items():
            kind = load_method(name)
            part = fitted / kind.FITTED if kind.FITTED else None
            methods[name] = Timed(kind.build(section, model, part), size_of(part))
        split, store = read_split(benchmark / "fit"), open_embeddings(embeddings, model)
        asked = questions(model, store, split, dataset, base.seed, knobs.masks)
        frame = clock(methods, asked, knobs.repeats, DTYPES[config.encode.dtype])
        COST.write(out, frame)
        run.metrics({"ms": dict(zip(frame["method"], frame["ms"], strict=True))})
    print(frame[["method", "unit", "ms", "ratio", "peak_mb", "state_mb"]].to_string(index=False, float_format="%.3g"))


if __name__ == "__main__":
    run_stage(main)
