"""Scores and outcomes of all stored objects, and how well the scores order them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from uncertsam.config.sections import ALL
from uncertsam.config.usam import Protocol
from uncertsam.data.splits import check_unseen
from uncertsam.experiments.bench import Bench
from uncertsam.experiments.decisions.table import DECIDED, MODEL, NUMBERS, QUALITY, SAM, SCORES, SEGMENTATION, USAM
from uncertsam.methods.usam.heads import Heads, load
from uncertsam.methods.usam.protocols import PROTOCOLS, Judged
from uncertsam.methods.usam.tokens import TokenStore
from uncertsam.metrics.decision import Decision
from uncertsam.statistics.decisions import relative_auc
from uncertsam.statistics.image_level import Ranking
from uncertsam.statistics.intervals import FEWEST_IMAGES, limits, resamples

CASE = ["dataset", "model", "decision"]


def judged_cases(bench: Bench, protocol: Protocol) -> pd.DataFrame:
    """A row per object, model and decision: start, end (IoU), cluster, and a column per score.

    Datasets come in their order, then all of them as one. Raises UserError where an image was trained on.
    """
    names, split = bench.config.datasets, bench.config.predict.split
    trained_on = [bench.benchmark / name / "fit" for name in bench.config.train_usam.datasets]
    check_unseen({name: bench.split(name) for name in names}, *trained_on)
    heads = load(bench.fitted / protocol, bench.model).cpu()
    stores = {name: TokenStore(bench.tokens / name / split, bench.models) for name in names}
    parts = [part.assign(dataset=name) for name, store in stores.items() for part in _cases(store, protocol, heads)]
    single = pd.concat(parts, ignore_index=True)
    pooled = single.assign(dataset=ALL, cluster=single["dataset"] + "/" + single["cluster"])
    return pd.concat([single, pooled], ignore_index=True)


def _cases(store: TokenStore, protocol: Protocol, heads: Heads) -> Iterator[pd.DataFrame]:
    """One shard is in memory at a time. Without a second model there is no decision for it."""
    models = [name for name, _ in store.manifest["models"]]
    for part in store:
        judged = Judged(part, protocol)
        outcomes, scores = judged.outcomes(), judged.scores(heads)
        clusters = [store.clusters[image] for image in part.image_id.tolist()]
        for decision, (start, end) in outcomes.items():
            columns = {"start": start, "end": end, **scores[decision]}
            for at, model in enumerate(models if decision != MODEL or len(models) > 1 else []):
                values = {name: value[:, at].double().numpy() for name, value in columns.items()}
                yield pd.DataFrame(values).assign(cluster=clusters, model=model, decision=decision)


def decided(bench: Bench) -> pd.DataFrame:
    """The rows of `table.DECIDED`, the deployable protocol first."""
    trained_on = "+".join(bench.config.train_usam.datasets)
    rows: list[list[Any]] = []
    for protocol in [p for p in reversed(PROTOCOLS) if p in bench.config.train_usam.protocols]:
        for (dataset, *case), cases in judged_cases(bench, protocol).groupby(CASE, sort=False):
            decision = Decision(cases["start"].to_numpy(), cases["end"].to_numpy(), _numbers(cases["cluster"]))
            for score in [score for score in SCORES if cases[score].notna().all()]:
                found = relative_auc(decision, cases[score].to_numpy(), str(dataset), bench.draws, bench.seed)
                rows.append([protocol, trained_on, dataset, *case, score, *(found[name] for name in NUMBERS)])
    return pd.DataFrame(rows, columns=list(DECIDED.columns))


def kept(bench: Bench) -> pd.DataFrame:
    """The rows of `table.QUALITY`, from the deployable scores of `base.model`; no other mask is known when kept."""
    cases = judged_cases(bench, "deployable")
    mine = cases[(cases["decision"] == SEGMENTATION) & (cases["model"] == bench.model.name)]
    rows = [
        [dataset, score, *_kept(bench, str(dataset), masks, score)]
        for dataset, masks in mine.groupby("dataset", sort=False)
        for score in SCORES
        if masks[score].notna().all()
    ]
    return pd.DataFrame(rows, columns=list(QUALITY.columns))


def _kept(bench: Bench, dataset: str, masks: pd.DataFrame, score: str) -> list[float | int]:
    """The numbers of one score, in the order of the table."""
    image, iou, value = _numbers(masks["cluster"]), masks["start"].to_numpy(), masks[score].to_numpy()
    failure, images = bench.config.tabulate.failure_iou, int(image.max()) + 1
    ranking, best = (
        Ranking.of(pd.DataFrame({"image": image, "iou": iou, "score": by}), failure) for by in (value, 1 - iou)
    )
    once = np.ones((1, images), int)
    auroc, aurc, augrc = ranking.scores(once)[0]
    blocks = resamples(dataset, images, bench.draws, bench.seed, width=len(masks))
    drawn = np.concatenate([ranking.scores(block)[:, 2:] for block in blocks])
    low, high = limits(drawn)[:, 0] if images >= FEWEST_IMAGES else (np.nan, np.nan)
    wrong = 1 - value - iou if score in (USAM, SAM) else np.array([np.nan])  # the others predict no IoU
    excess, bias, mae = augrc - best.scores(once)[0, 2], wrong.mean(), np.abs(wrong).mean()
    return [*map(float, (augrc, excess, aurc, auroc, bias, mae, low, high)), len(masks)]


def _numbers(clusters: pd.Series) -> np.ndarray:
    return np.unique(clusters, return_inverse=True)[1]
