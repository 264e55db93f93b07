"""Which masks to improve first, and how? Told in the terms of `experiments.contract`."""

from collections.abc import Iterator, Mapping
from typing import Any

from uncertsam.config.sections import ALL
from uncertsam.experiments.bench import Bench
from uncertsam.experiments.contract import Experiment, Figure, Frames, Section
from uncertsam.experiments.decisions.figure import decisions
from uncertsam.experiments.decisions.section import contents
from uncertsam.experiments.decisions.table import DECIDED, DEPLOYABLE, QUALITY, SEGMENTATION, primary, verdict
from uncertsam.statistics.schema import Tables


def run(bench: Bench) -> Frames:
    from uncertsam.experiments.decisions.run import decided, kept

    return {DECIDED.name: decided(bench), QUALITY.name: kept(bench)}


def metrics(tables: Tables) -> Mapping[str, Any]:
    """The primary number, relative AUC of the deployable segmentation decision, of each score over all datasets."""
    frame = primary(tables[DECIDED.name])
    chosen = (frame["protocol"] == DEPLOYABLE) & (frame["decision"] == SEGMENTATION) & (frame["dataset"] == ALL)
    return {"segmentation": dict(frame[chosen].set_index("score")["rel_auc"])}


def problems(tables: Tables) -> Iterator[str]:
    """An interval that ends before it begins, scores of one decision on different masks, other masks to keep."""
    frame, quality = tables[DECIDED.name], tables[QUALITY.name]
    for row in frame[frame["lo"] > frame["hi"] + 1e-7].to_dict("records"):
        yield f"usam.csv: the interval of {row['score']} for {row['decision']} on {row['dataset']} is empty"
    case = ["protocol", "trained_on", "dataset", "model", "decision"]
    for key in frame.groupby(case)["n"].nunique().loc[lambda counts: counts > 1].index:
        yield f"usam.csv: the scores of {', '.join(key)} are of different masks"
    masks = frame.groupby("dataset")["n"].max().reindex(quality["dataset"]).to_numpy()
    for row in quality[quality["n"].to_numpy() != masks].to_dict("records"):
        yield f"quality.csv: {row['score']} on {row['dataset']} has {row['n']} masks, not those of usam.csv"


EXPERIMENT = Experiment(
    "decisions", "evaluate_usam", "train_usam", [QUALITY, DECIDED], run, problems=problems,
    verdict=verdict,
    metrics=metrics,
    figures={"decisions": Figure(DECIDED.name, decisions)},
    section=Section("Decisions", contents),
)  # fmt: skip
