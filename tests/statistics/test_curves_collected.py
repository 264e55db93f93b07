from pathlib import Path

import pandas as pd
import pytest

from uncertsam.base.errors import UserError
from uncertsam.metrics.curves import COLUMNS
from uncertsam.statistics.curves import CURVES, collect_curves


def cell(method: str) -> pd.DataFrame:
    rows = [("reef", method, "reliability", part, 0.1, 0.2, 0.5) for part in (1, 0)]
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(("x", "y", "weight"), "float32"))


def test_curves_survive_the_round_trip_sorted(tmp_path: Path) -> None:
    for method in ("b", "a"):
        CURVES.write(tmp_path / f"{method}.parquet", cell(method))
    found = collect_curves([tmp_path / "b.parquet", tmp_path / "a.parquet"])
    assert list(zip(found["method"], found["part"], strict=True)) == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    CURVES.write(tmp_path / "all.parquet", found)
    pd.testing.assert_frame_equal(CURVES.read(tmp_path / "all.parquet"), found)


@pytest.mark.parametrize("content", [None, b"no parquet", "columns"])
def test_missing_or_broken_curves_are_named(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "cell.curves.parquet"
    if content == "columns":
        cell("a").drop(columns="weight").to_parquet(path)
    elif content:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"cell\.curves\.parquet (is missing|cannot be read|has the columns).*measure"):
        collect_curves([path])
