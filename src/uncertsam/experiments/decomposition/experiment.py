"""Where the combined uncertainty comes from: the shares of model, picture and prompt, dataset by dataset."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from uncertsam.base.errors import UserError
from uncertsam.base.files import read_table
from uncertsam.catalogue import spoken
from uncertsam.data.format import Split
from uncertsam.experiments.contract import Experiment, Figure, Predicted
from uncertsam.figures.provenance import footnotes
from uncertsam.figures.sheet import sheet, write
from uncertsam.figures.style import GRID, INK, MUTED, MethodStyle, styled
from uncertsam.metrics.ranking import ratio
from uncertsam.metrics.stored import read_measure
from uncertsam.statistics.intervals import facts_of, limits, resampled_means, resamples, without_narrow
from uncertsam.statistics.selection import labels

METHOD, PREFIX = "combined_total", "part_"
WIDTH, NAMES, ROW = 8.0, 2.1, 0.34  # of the sheet, of the column of names, of a row; inches
AGAIN = "Delete the method's folder, then run the predict stage again."  # finished cells are kept
PARTS: dict[str, MethodStyle] = {
    "model": MethodStyle("Model (last layer)", "#D55E00", "D"),
    "image": MethodStyle("Picture (colours)", "#009C6D", "^"),
    "prompt": MethodStyle("Prompt (box)", "#C0104A", "P"),
}
HOW = (
    "Total variance of the probability over last layers, changed colours and moved boxes. Each source has its own part "
    "and an equal share of what sources only do together. Mean share over masks; intervals are in the table beside it."
)


def shares(
    predictions: Path, splits: Mapping[str, Split], draws: int = 2000, seed: int = 0, method: str = METHOD
) -> pd.DataFrame:
    """Per dataset and part: the mean over masks of its share of U, summed over the map, and a bootstrap interval.

    Masks of which no pixel is unsure have no share. Raises UserError where maps are missing or tell no parts.
    """
    frames = [_dataset(predictions / name / method, name, split, draws, seed) for name, split in splits.items()]
    return pd.concat(frames, ignore_index=True)


def decomposition(frame: pd.DataFrame, stem: Path, provenance: str = "") -> list[Path]:
    """Draw the shares as stacked bars, a row per dataset. Returns the files written."""
    names = labels(frame)
    body = ROW * len(names)
    parts = list(dict.fromkeys(frame["part"]))
    with styled():
        page = sheet((WIDTH, body + 0.75), "Where does the uncertainty come from?", HOW, footnotes(frame), provenance)
        page.legend([Patch(color=_look(part).colour, label=_look(part).label) for part in parts], body + 0.45, 0.25, 4)
        axes = page.figure.add_axes(page.place(NAMES, 0.35, WIDTH - NAMES - 0.2, body))
        _bars(axes, frame, list(names), parts)
        lines = [textwrap.fill(name, 24, break_long_words=False) for name in names.values()]
        axes.set_yticks(range(len(names)), labels=lines, fontsize=8.5, color=INK)
        axes.set_xlabel("share of the total variance", fontsize=8, color=MUTED)
        return write(page.figure, frame, stem)


def _bars(axes: Axes, frame: pd.DataFrame, datasets: Sequence[str], parts: Sequence[str]) -> None:
    axes.set(ylim=(len(datasets) - 0.5, -0.5), xlim=(0, 1))
    axes.grid(visible=True, axis="x", color=GRID)
    axes.spines["left"].set_visible(False)
    found = {(row.dataset, row.part): float(row.mean) for row in frame.itertuples()}  # type: ignore[arg-type]
    for y, dataset in enumerate(datasets):
        left = 0.0
        for part in parts:
            share = found[dataset, part]
            axes.barh(y, share, left=left, height=0.66, color=_look(part).colour, zorder=3)
            if share > 0.06:
                where = (left + share / 2, y)
                axes.annotate(f"{share:.0%}", where, ha="center", va="center", fontsize=7, color="white", zorder=4)
            left += share


def _look(part: str) -> MethodStyle:
    return PARTS.get(part) or MethodStyle(spoken(part), MUTED, "o")


def _dataset(folder: Path, name: str, split: Split, draws: int, seed: int) -> pd.DataFrame:
    values, facts = _of_masks(folder), facts_of(split)
    images = values.groupby(level="image_id")
    sums, counts = images.sum().to_numpy(), images.count().to_numpy()
    mean = ratio(sums.sum(0), counts.sum(0))
    low, high = limits(resampled_means(sums, counts, resamples(name, len(sums), draws, seed)))
    rows = pd.DataFrame({"dataset": name, "part": list(values.columns), "mean": mean, "low": low, "high": high})
    rows = rows.assign(n_images=len(sums), n_masks=len(values), synthetic=facts.synthetic, quality=facts.quality)
    return without_narrow(rows)


def _of_masks(folder: Path) -> pd.DataFrame:
    """A row per mask, a column per part: its share of the summed U."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    index = read_table(folder / "index.parquet", AGAIN)
    try:
        maps = load_file(folder / "maps.safetensors")
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder} is incomplete or broken ({error}).", AGAIN) from None
    found = {key.removeprefix(PREFIX): maps[key] for key in maps if key.startswith(PREFIX)}
    if not found:
        raise UserError(f"{folder} tells no parts of its uncertainty.", AGAIN)
    named = [*(part for part in PARTS if part in found), *sorted(set(found) - set(PARTS))]
    whole = _summed(read_measure(folder).of(maps))
    unsure = np.where(whole > 0, whole, np.nan)
    keys = pd.MultiIndex.from_frame(index[["image_id", "mask_id"]])
    return pd.DataFrame({part: _summed(found[part]) / unsure for part in named}, index=keys)


def _summed(maps: Float[np.ndarray, "n h w"]) -> Float[np.ndarray, " n"]:
    return maps.astype(float).sum(axis=(1, 2))


def _of_predictions(predicted: Predicted) -> pd.DataFrame:
    found = METHOD in predicted.methods
    return shares(predicted.predictions, predicted.splits) if found else pd.DataFrame()


EXPERIMENT = Experiment(
    "decomposition", "predict", figures={"decomposition": Figure("intervals.csv", decomposition, _of_predictions)}
)
