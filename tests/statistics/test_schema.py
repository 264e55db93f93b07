"""One declaration reads, writes and checks a table: what breaks it is named with column and row."""

import numpy as np
import pandas as pd
import pytest

from uncertsam.base.errors import UserError
from uncertsam.statistics.schema import COUNT, FLAG, NUMBER, WORD, Column, Schema, unlike

COLUMNS = {"set": WORD, "metric": Column("str", words=("iou", "nll")), "n": COUNT, "value": NUMBER, "low": NUMBER,
           "high": NUMBER, "ms": Column(repeats=False), "made": FLAG}  # fmt: skip
TABLE = Schema(
    "table.csv",
    "Run the click stage.",
    COLUMNS,
    ["set", "metric"],
    {"iou": (0.0, 1.0)},
    "value",
    {"other.csv": ["set"]},
    decimals=3,
)
ROWS = [("NA", "iou", 3, 0.5, 0.4, 0.6, 1.5, True), ("b", "nll", 4, 7.12345, np.nan, np.nan, 2.5, False)]


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(ROWS, columns=list(COLUMNS))


def told(frame: pd.DataFrame) -> list[str]:
    return [*TABLE.broken(frame), *TABLE.wrong(frame)]


def test_a_sound_table_comes_back_as_written_but_for_digits(frame, tmp_path):
    TABLE.write(tmp_path / "table.csv", frame)
    back = TABLE.read(tmp_path / "table.csv")
    pd.testing.assert_frame_equal(back, frame.assign(value=[0.5, 7.123]))
    assert told(back) == []


DAMAGE = {
    "there is no metric 'fame'": lambda f: f.assign(metric=["iou", "fame"]),
    "iou leaves [0, 1] in 1 rows, such as 1.5 of set NA, metric iou": lambda f: f.assign(value=1.5, low=1.0, high=2.0),
    "n leaves [0, inf] in 2 rows, such as -1 of set NA, metric iou": lambda f: f.assign(n=-1),
    "n of set NA, metric iou is 0.5, no whole number": lambda f: f.assign(n=0.5),
    "the value of set NA, metric iou lies outside of its interval": lambda f: f.assign(low=[0.55, np.nan]),
    "ms is empty in 2 rows, the first of set NA, metric iou": lambda f: f.assign(ms=np.nan),
    "1 rows are given twice, the first of set b, metric nll": lambda f: pd.concat([f, f[1:]]),
}


@pytest.mark.parametrize("says", DAMAGE)
def test_damage_is_one_line_with_column_and_row(frame, says):
    assert told(DAMAGE[says](frame)) == [f"table.csv: {says}"]


def test_a_row_that_another_table_lacks_is_named(frame):
    assert list(TABLE.strays(frame, frame[1:], "other.csv")) == ["table.csv: set NA is not in other.csv (1 such)"]


@pytest.mark.parametrize(
    ("content", "says"), [(None, "is missing"), ("", "cannot be read"), ("set,n\na,1\n", "has the columns")]
)
def test_what_is_no_such_table_is_refused_with_the_remedy(tmp_path, content, says):
    if content is not None:
        (tmp_path / "table.csv").write_text(content)
    with pytest.raises(UserError, match=rf"table\.csv {says}.*click stage"):
        TABLE.read(tmp_path / "table.csv")


def test_words_in_a_column_of_numbers_are_refused(frame, tmp_path):
    frame.astype({"value": object}).replace({"value": {0.5: "half"}}).to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(UserError, match="Column value of"):
        TABLE.read(tmp_path / "table.csv")


def test_two_runs_may_differ_where_a_column_does_not_repeat_and_nowhere_else(frame):
    assert list(TABLE.differences(frame, frame.assign(ms=9.0))) == []
    assert list(TABLE.differences(frame, frame.assign(n=9))) == ["table.csv: n of row 0 is 9, was 3"]
    assert list(unlike(frame, frame.assign(low=frame["low"] + 1e-3), 1e-4)) == [("low", 0)]
