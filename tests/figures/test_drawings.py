from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from uncertsam.figures.bars import bars, mask_quality
from uncertsam.figures.radar import radar, rings
from uncertsam.statistics.selection import chosen

Maker = Callable[..., pd.DataFrame]
Draw = Callable[[pd.DataFrame, Path], list[Path]]


def draw_radar(frame: pd.DataFrame, stem: Path) -> list[Path]:
    return radar(frame, "pearson", stem, "params 1a · data 2b")


def draw_bars(frame: pd.DataFrame, stem: Path) -> list[Path]:
    return bars(frame, ["pearson", "brier"], stem, "params 1a · data 2b")


def draw_quality(frame: pd.DataFrame, stem: Path) -> list[Path]:
    return mask_quality(frame, stem, "params 1a · data 2b")


every_figure = pytest.mark.parametrize("draw", [draw_radar, draw_bars, draw_quality])


def contents(paths: list[Path]) -> list[bytes]:
    return [path.read_bytes() for path in paths]


def words(svg: Path) -> str:
    return " ".join(node.text or "" for node in ElementTree.parse(svg).iter() if node.tag.endswith("text"))


@every_figure
def test_same_numbers_same_bytes(draw: Draw, tmp_path: Path, invented: Maker) -> None:
    frame = invented(3)
    first = contents(draw(frame, tmp_path / "a"))
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "svg.hashsalt": None}):  # a user's settings
        again = contents(draw(frame.sample(frac=1, random_state=1), tmp_path / "b"))
    assert first == again


@every_figure
def test_table_has_exactly_the_numbers_given(draw: Draw, tmp_path: Path, invented: Maker) -> None:
    frame = invented(4, 6)
    table = pd.read_csv(draw(frame, tmp_path / "a")[0])
    keys = ["dataset", "method", "metric"]
    given_rows = frame.set_index(keys).loc[table.set_index(keys).index].reset_index()
    assert len(table) and list(table["mean_masks"]) == list(given_rows["mean_masks"])
    if "low" in table:
        assert list(table["low"]) == list(given_rows["low"]) and list(table["high"]) == list(given_rows["high"])


@every_figure
@pytest.mark.parametrize("datasets", [1, 12])
def test_any_number_of_datasets_can_be_drawn(draw: Draw, datasets: int, tmp_path: Path, invented: Maker) -> None:
    csv, svg, png = draw(invented(datasets, 3), tmp_path / "a.b")
    assert (csv.name, svg.name, png.name) == ("a.b.csv", "a.b.svg", "a.b.png")
    assert "(synthetic)" in words(svg) and "params 1a · data 2b" in words(svg)
    assert list(tmp_path.iterdir()) and not list(tmp_path.glob(".*"))


@every_figure
def test_odd_names_stay_as_they_are(draw: Draw, tmp_path: Path, invented: Maker) -> None:
    frame = invented(3).replace({"dataset": {"cracks": "<b>&$x_1$"}, "method": {"laplace": "$\\bad{"}})
    text = words(draw(frame, tmp_path / "a")[1])
    assert "<b>&$x 1$" in text and "$\\bad{" in text


def captured(draw: Draw, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> Figure:
    kept: list[Any] = []
    module = "radar" if draw is draw_radar else "bars"
    monkeypatch.setattr(f"uncertsam.figures.{module}.write", lambda figure, *rest: kept.append(figure) or [])
    draw(frame, Path("nowhere"))
    return kept[0]


def without(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One value of Laplace becomes NaN."""
    keys = (frame["metric"] == metric) & (frame["method"] == "laplace") & (frame["dataset"] == "ISTD")
    return frame.assign(mean_masks=frame["mean_masks"].mask(keys))


def laplace_lines(figure: Figure) -> list[np.ndarray]:
    lines = [line for line in figure.axes[0].get_lines() if line.get_color() == "#D55E00"]
    return [np.asarray(line.get_ydata(), float) for line in lines]


def test_nan_opens_the_polygon_and_is_not_drawn_as_a_number(invented: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    (radii,) = laplace_lines(captured(draw_radar, without(invented(4), "pearson"), monkeypatch))
    assert np.isnan(radii).tolist() == [True, False, False, False, True]  # ISTD is first, and closes the polygon
    assert (radii[1:4] > 0).all()


def test_nan_leaves_the_spoke_of_a_fan_empty(invented: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    full = laplace_lines(captured(draw_radar, invented(2), monkeypatch))
    gap = laplace_lines(captured(draw_radar, without(invented(2), "pearson"), monkeypatch))
    assert (len(full), len(gap)) == (2, 1)


@pytest.mark.parametrize(("draw", "metric"), [(draw_bars, "pearson"), (draw_quality, "iou")])
def test_nan_leaves_a_row_empty_and_says_so(
    draw: Draw, metric: str, invented: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    axes = captured(draw, without(invented(3), metric), monkeypatch).axes[0]
    missing = [text for text in axes.texts if text.get_text() == "Laplace: no value"]
    assert len(missing) == 1
    drawn = [float(np.mean(line.get_ydata())) for line in axes.get_lines()]
    drawn += [bar.get_y() + bar.get_height() / 2 for bar in axes.patches if draw is draw_quality]
    assert min(abs(y - missing[0].get_position()[1]) for y in drawn) > 0.1


def test_marks_lie_at_the_numbers_of_the_table(invented: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = invented(5)
    ends = rings(chosen(frame, ["pearson"])["mean_masks"].to_numpy(), "pearson")
    (radii,) = laplace_lines(captured(draw_radar, frame, monkeypatch))
    values = chosen(frame[frame["method"] == "laplace"], ["pearson"])["mean_masks"]
    np.testing.assert_allclose(ends[0] + radii[:-1] * (ends[-1] - ends[0]), values)


def test_bars_start_at_zero(invented: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = invented(3)
    axes = captured(draw_quality, frame, monkeypatch).axes[0]
    bars_drawn = [p for p in axes.patches if p.get_height() < 0.5]
    values = chosen(frame[~frame["method"].isin(["constant", "boundary_distance"])], ["iou"])["mean_masks"]
    assert [bar.get_x() for bar in bars_drawn] == [0.0] * len(values)
    np.testing.assert_allclose([bar.get_width() for bar in bars_drawn], values)
    assert axes.get_xlim()[0] == 0


numbers = st.lists(st.one_of(st.floats(-1, 1), st.just(float("nan"))), min_size=0, max_size=20)


@given(numbers)
def test_rings_hold_all_values_from_worse_to_better(values: list[float]) -> None:
    for metric, better in (("pearson", 1), ("brier", -1)):
        ends = rings(np.array(values if better == 1 else np.abs(values)), metric)
        known = np.array([v if better == 1 else abs(v) for v in values if v == v])
        assert (np.diff(ends) * better > 0).all()
        assert min(ends) <= 1e-6 + min(known, default=0) and max(known, default=0) <= max(ends) + 1e-6
        assert 0.0 in ends


def test_an_error_of_zero_is_on_the_rim_and_a_correlation_of_zero_in_the_centre() -> None:
    values = np.array([0.13, 0.42])
    assert rings(values, "brier")[-1] == 0 == rings(values, "pearson")[0]
