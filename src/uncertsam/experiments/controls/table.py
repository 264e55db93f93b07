"""The controls' numbers: means, Shapley values of the four factors, differences to Laplace; with their intervals.

`reports/controls.csv` has a row per (kind, dataset, method, metric, region), and "pooled" as a dataset of its own:

    mean         of a control over masks
    shapley      of a factor, or of all four together ("total"), on the way from SAM to LA as published; and where the
                 way begins and ends, as means over the masks on which all sixteen cells have a value
    difference   of a one-at-a-time control less Laplace in closed form, on the same masks
    setting      prior precision or temperature of a one-at-a-time control, as it was set, fitted or chosen

What is judged, and how, was registered before it was run: `profiles/controls_registration.md`.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from uncertsam.base.errors import UserError
from uncertsam.config.sections import POOLED, refuse_reserved
from uncertsam.experiments.controls.design import CELLS, FACTORS, LA, PRIMARY, REFERENCE, REGION, SAM, SECONDARY, TOTAL
from uncertsam.metrics.ranking import ratio
from uncertsam.statistics.intervals import FEWEST_IMAGES, DatasetFacts, intervals, limits, resampled_means, resamples
from uncertsam.statistics.schema import COUNT, FLAG, NUMBER, WORD, Column, Schema
from uncertsam.statistics.shapley import shapley

MASK = ["dataset", "image_id", "mask_id", "metric", "region"]
CASE = ["method", "metric", "region"]
KEY = ["kind", "dataset", *CASE]
TOO_SMALL = "n too small"
AGAIN = "Run the ablate stage again."
CONTROLS = Schema(
    "controls.csv",
    "Run the ablate stage.",
    {"kind": Column("str", words=("mean", "shapley", "difference", "setting")), **dict.fromkeys(KEY[1:], WORD),
     "value": NUMBER, "low": NUMBER, "high": NUMBER, "n_images": COUNT, "n_masks": COUNT, "note": WORD,
     "synthetic": FLAG, "quality": WORD},
    KEY,
    between="value",
)  # fmt: skip
COLUMNS = list(CONTROLS.columns)


def summary(
    table: pd.DataFrame, facts: Mapping[str, DatasetFacts], settings: pd.DataFrame, draws: int, seed: int
) -> pd.DataFrame:
    """The rows of `reports/controls.csv` from the long table of all controls, and from those of `settings_rows`.

    draws, seed: of the bootstrap.
    """
    refuse_reserved(table["dataset"].unique(), "ablate", "Give it another name in params.yaml.")
    judged = table[table["metric"].isin([*PRIMARY, *SECONDARY])]
    shown = table[table["metric"].isin([*PRIMARY, *SECONDARY, "mean_u"])]
    long = {"mean": shown, "shapley": attributed(judged), "difference": differences(judged)}
    parts = [_both(values, facts, draws, seed).assign(kind=kind) for kind, values in long.items()]
    found = pd.concat([*parts, settings], ignore_index=True)
    return found[COLUMNS].sort_values(KEY, ignore_index=True)


def settings_rows(settings: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """From {control: {"prior_precision": ..., "temperature": ...}}."""
    about = {"kind": "setting", "dataset": POOLED, "region": REGION, "note": "", "synthetic": False, "quality": ""}
    empty = {"low": np.nan, "high": np.nan, "n_images": 0, "n_masks": 0}
    rows = [{"method": m, "metric": name, "value": v} for m, each in settings.items() for name, v in each.items()]
    return pd.DataFrame([row | about | empty for row in rows])


def attributed(table: pd.DataFrame) -> pd.DataFrame:
    """The Shapley value of every factor, their total, and both ends, on every mask: a long table of these "methods".

    A mask of which one cell has no value is left out of that metric. Values are linear in the worths, so that the mean
    of the masks' values is the value of the means.
    """
    wide = _wide(table, list(CELLS.values())).dropna()
    values = shapley({changed: wide[name] for changed, name in CELLS.items()}, list(FACTORS))
    return _long(pd.DataFrame(values | {TOTAL: wide[LA] - wide[SAM], SAM: wide[SAM], LA: wide[LA]}))


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Every one-at-a-time control less the closed form, mask by mask: a long table."""
    names = [name for name in table["method"].unique() if name not in {*CELLS.values(), REFERENCE}]
    wide = _wide(table, [*names, REFERENCE])
    return _long(wide[names].sub(wide[REFERENCE], axis=0))


def _wide(table: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    """A row per mask and metric, a column per method. Raises UserError where a method is missing."""
    lost = sorted(set(methods) - set(table["method"]))
    if lost:
        raise UserError(f"There are no measures of the control {lost[0]}.", AGAIN)
    chosen = table[table["method"].isin(methods)]
    return chosen.pivot(index=MASK, columns="method", values="value")[methods]


def _long(wide: pd.DataFrame) -> pd.DataFrame:
    return wide.melt(var_name="method", value_name="value", ignore_index=False).reset_index()


def _both(table: pd.DataFrame, facts: Mapping[str, DatasetFacts], draws: int, seed: int) -> pd.DataFrame:
    each = intervals(table, facts, draws, seed).rename(columns={"mean_masks": "value"})
    return pd.concat([each, _pooled(table, facts, draws, seed)], ignore_index=True)


def _pooled(table: pd.DataFrame, facts: Mapping[str, DatasetFacts], draws: int, seed: int) -> pd.DataFrame:
    """The unweighted mean over datasets; images are resampled within each. Datasets of too few images stay out."""
    images = table.groupby("dataset")["image_id"].nunique()
    names = [str(name) for name in images.index if images[name] >= FEWEST_IMAGES] or [str(n) for n in images.index]
    cases = table[CASE].drop_duplicates().sort_values(CASE, ignore_index=True)
    means, drawn, rows = [], [], cases.assign(n_masks=0)
    for name in names:
        sums, counts = _by_image(table[table["dataset"] == name], cases)
        means.append(ratio(sums.sum(0), counts.sum(0)))
        drawn.append(resampled_means(sums, counts, resamples(name, len(sums), draws, seed)))
        rows["n_masks"] += counts.sum(0)
    rows["value"], (rows["low"], rows["high"]) = (
        _over_datasets(np.stack(means)),
        limits(_over_datasets(np.stack(drawn))),
    )
    few = bool(images[names].min() < FEWEST_IMAGES)
    rows["n_images"], rows["note"] = int(images[names].sum()), TOO_SMALL if few else ""
    rows.loc[rows["note"] == TOO_SMALL, ["low", "high"]] = np.nan
    rows["synthetic"] = all(facts[name].synthetic for name in names)
    return rows.assign(dataset=POOLED, quality=_quality(names, facts))


def _by_image(table: pd.DataFrame, cases: pd.DataFrame) -> tuple[Float[np.ndarray, "i k"], Int[np.ndarray, "i k"]]:
    """Sum and number of values of each image, a column per case."""
    values, columns = table.groupby(["image_id", *CASE])["value"], pd.MultiIndex.from_frame(cases)
    sums, counts = (getattr(values, name)().unstack(CASE).reindex(columns=columns) for name in ("sum", "count"))
    return sums.fillna(0).to_numpy(float), counts.fillna(0).to_numpy(int)


def _over_datasets(values: Float[np.ndarray, "datasets *k"]) -> Float[np.ndarray, "*k"]:
    """The mean over the datasets that have a value."""
    return ratio(np.nansum(values, axis=0), np.isfinite(values).sum(axis=0))


def _quality(names: list[str], facts: Mapping[str, DatasetFacts]) -> str:
    found = {facts[name].quality for name in names}
    return found.pop() if len(found) == 1 else "mixed"


def metrics_of(frame: pd.DataFrame) -> dict[str, dict[str, float]]:
    """What MLflow gets of `controls.csv`: the pooled means by control, and the pooled Shapley values by factor."""
    pooled = frame[(frame["dataset"] == POOLED) & frame["kind"].isin(["mean", "shapley"]) & frame["value"].notna()]
    found: dict[str, dict[str, float]] = {}
    for row in pooled.itertuples():
        if row.kind == "shapley" and row.method not in (*FACTORS, TOTAL):
            continue  # the ends: means already
        name = f"shapley_{row.method}" if row.kind == "shapley" else str(row.method)
        found.setdefault(name, {})[str(row.metric)] = float(row.value)  # type: ignore[arg-type]
    return found
