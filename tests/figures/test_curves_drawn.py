from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from uncertsam.base.errors import UserError
from uncertsam.figures.curves import reliability, risk_coverage
from uncertsam.figures.style import method_style

Maker = Callable[..., pd.DataFrame]
Draw = Callable[..., list[Path]]
both = pytest.mark.parametrize("draw", [reliability, risk_coverage])


def captured(draw: Draw, curves: pd.DataFrame, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> Figure:
    kept: list[Any] = []
    monkeypatch.setattr("uncertsam.figures.curves.write", lambda figure, *rest: kept.append(figure) or [])
    draw(curves, frame, Path("nowhere"))
    return kept[0]


def lines(axes: Any, method: str) -> list[Any]:
    return [line for line in axes.get_lines() if line.get_color() == method_style(method).colour]


@both
def test_same_curves_same_bytes_and_synthetic_data_are_marked(
    draw: Draw, tmp_path: Path, invented: Maker, curved: Maker
) -> None:
    curves, frame = curved(3), invented(3)
    first = [path.read_bytes() for path in draw(curves, frame, tmp_path / "a", "params 1a")]
    paths = draw(curves.sample(frac=1, random_state=1).set_index(0 * curves.index), frame, tmp_path / "b", "params 1a")
    assert [path.read_bytes() for path in paths] == first
    text = " ".join(node.text or "" for node in ElementTree.parse(paths[1]).iter() if node.tag.endswith("text"))
    assert "(synthetic)" in text and "params 1a" in text and "Laplace" in text


@both
@pytest.mark.parametrize(("datasets", "panels"), [(1, 1), (5, 5), (12, 12)])
def test_every_dataset_has_its_panel_within_the_sheet(
    draw: Draw, datasets: int, panels: int, invented: Maker, curved: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = captured(draw, curved(datasets, 3), invented(datasets, 3), monkeypatch)
    named = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert len({axes.get_title(loc="left") for axes in named}) == panels
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(0 < box.x0 < box.x1 < 1 and 0 < box.y0 < box.y1 < 1 for box in boxes)
    assert not any(one.overlaps(other) for rank, one in enumerate(boxes) for other in boxes[:rank])


def test_the_area_under_a_drawn_curve_is_the_mean_aurc(
    invented: Maker, curved: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = curved(1)
    (axes,) = captured(risk_coverage, curves, invented(1), monkeypatch).axes
    for method in ("sam", "laplace", "constant", "boundary_distance"):
        mine = curves[(curves["method"] == method) & (curves["kind"] == "risk_coverage")]
        drawn = max((line.get_ydata() for line in lines(axes, method)), key=len)
        assert np.mean(drawn) == pytest.approx((mine["y"] * mine["weight"]).sum(), abs=1e-6)
        x = max((line.get_xdata() for line in lines(axes, method)), key=len)
        assert np.trapezoid(drawn, x) == pytest.approx(np.mean(drawn), abs=1 / len(x))  # half a part at both ends


def test_the_oracle_is_that_of_sam(tmp_path: Path, invented: Maker, curved: Maker) -> None:
    table = pd.read_csv(risk_coverage(curved(2), invented(2), tmp_path / "a")[0])
    assert set(table.loc[table["kind"] == "oracle", "method"]) == {"sam"}
    assert set(table.loc[table["kind"] == "risk_coverage", "method"]) >= {"sam", "constant", "boundary_distance"}


def test_the_baselines_are_left_out_of_reliability_and_the_table_is_what_is_drawn(
    tmp_path: Path, invented: Maker, curved: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = curved(1)
    table = pd.read_csv(reliability(curves, invented(1), tmp_path / "a")[0])
    assert set(table["method"]) == {"sam", "laplace", "laplace_closed"} and set(table["kind"]) == {"reliability"}
    axes = captured(reliability, curves, invented(1), monkeypatch).axes[0]
    for method in set(table["method"]):
        mine = table[(table["method"] == method) & (table["weight"] > 0)]
        (drawn,) = lines(axes, method)
        np.testing.assert_allclose(drawn.get_xydata(), mine[["x", "y"]], rtol=1e-6)


def test_an_empty_bin_is_not_drawn(invented: Maker, curved: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    curves = curved(1)
    gone = (curves["kind"] == "reliability") & (curves["part"] == 4) & (curves["method"] == "laplace")
    curves.loc[gone, ["x", "y", "weight"]] = [np.nan, np.nan, 0.0]
    axes = captured(reliability, curves, invented(1), monkeypatch).axes[0]
    (full,), (gap,) = lines(axes, "sam"), lines(axes, "laplace")
    assert len(full.get_xdata()) - len(gap.get_xdata()) == 1


@both
def test_without_curves_the_missing_one_is_named(draw: Draw, tmp_path: Path, invented: Maker, curved: Maker) -> None:
    with pytest.raises(UserError, match="no curve of"):
        draw(curved(1)[:0], invented(1), tmp_path / "a")
