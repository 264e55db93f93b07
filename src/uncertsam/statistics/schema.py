"""What a table holds, declared once: columns, types, ranges, words, keys; it is read, written and checked by that."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from uncertsam.base.errors import UserError
from uncertsam.base.files import read_table, written_aside

Range = tuple[float, float]
TOLERANCE = 2e-3  # processors differ in the last bits of a logit, and a pixel may change sides


@dataclass(frozen=True)
class Column:
    """What one column may hold.

    dtype: "str", "int", "bool", "float64" or "float32"; of the numbers, only Parquet tells one type from another.
    within: the smallest and the largest value. empty: NaN is a value too. words: all texts that there are, if known.
    repeats: False where another machine, or a rank near a threshold, gives another value: two runs need not agree.
    """

    dtype: str = "float64"
    within: Range = (-math.inf, math.inf)
    empty: bool = False
    words: Collection[str] | None = None
    repeats: bool = True

    def fits(self, values: pd.Series, parquet: bool) -> bool:
        """Whether values have the column's type."""
        if self.dtype == "str":
            return pd.api.types.is_string_dtype(values) and not values.hasnans
        if self.dtype == "bool":
            return pd.api.types.is_bool_dtype(values)
        if not parquet:
            return pd.api.types.is_numeric_dtype(values)
        return pd.api.types.is_integer_dtype(values) if self.dtype == "int" else values.dtype == self.dtype


WORD, COUNT, FLAG = Column("str"), Column("int", within=(0.0, math.inf)), Column("bool")
NUMBER = Column(empty=True)


@dataclass(frozen=True)
class Schema:
    """One table, a Parquet or a CSV file of `reports/`.

    mend: what to do where it is missing or broken. key: the columns that tell its rows apart. ranges: of `value`, by
    `metric`. between: the column that lies between `low` and `high`. refers: another table, and columns whose rows must
    all be there. number, decimals: how a CSV writes its numbers. even: the column of the key whose every value has the
    same other keys in a dataset.
    """

    name: str
    mend: str
    columns: Mapping[str, Column]
    key: Sequence[str]
    ranges: Mapping[str, Range] = field(default_factory=dict)
    between: str = ""
    refers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    number: str = "%.8g"
    decimals: int | None = None
    even: str = ""

    def read(self, path: Path) -> pd.DataFrame:
        """The table. Raises UserError where it is missing or broken, or has other columns or types."""
        frame = read_table(path, self.mend) if path.suffix == ".parquet" else self._read_csv(path)
        self.check(frame, str(path))
        return frame[list(self.columns)]

    def _read_csv(self, path: Path) -> pd.DataFrame:
        texts = [name for name, column in self.columns.items() if column.dtype == "str"]
        blank: Any = {name: ["", "nan", "NaN"] for name in self.columns if name not in texts}  # "NA" may be a name
        try:
            return pd.read_csv(path, keep_default_na=False, na_values=blank, dtype=dict.fromkeys(texts, str))
        except FileNotFoundError:
            raise UserError(f"{path} is missing.", self.mend) from None
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read ({error}).", self.mend) from None

    def check(self, frame: pd.DataFrame, name: str) -> None:
        """Raise UserError, naming the table, unless it has exactly these columns in their types."""
        if set(frame.columns) != set(self.columns):
            raise UserError(f"{name} has the columns {list(frame.columns)}, not {list(self.columns)}.", self.mend)
        for key, column in self.columns.items():
            if len(frame) and not column.fits(frame[key], self.name.endswith(".parquet")):
                raise UserError(f"Column {key} of {name} has the type {frame[key].dtype}.", self.mend)

    def write(self, target: Path, frame: pd.DataFrame) -> None:
        """Write the table, whole or not at all. Raises UserError where a Parquet's columns or types are others."""
        parquet = target.suffix == ".parquet"
        self.check(frame, str(target)) if parquet else None
        rows = frame[list(self.columns)]
        with written_aside(target) as aside:
            if parquet:
                rows.to_parquet(aside, index=False)
            else:
                rows = rows if self.decimals is None else rows.round(self.decimals)
                rows.to_csv(aside, index=False, float_format=self.number)

    def broken(self, frame: pd.DataFrame) -> Iterator[str]:
        """A line for each column that lacks values, and one for rows given twice: no other check makes sense then."""
        for key, column in self.columns.items():
            lost = frame[frame[key].isna()]
            if len(lost) and not column.empty:
                yield f"{self.name}: {key} is empty in {len(lost)} rows, the first of {self.row(lost)}"
        twice = frame[frame.duplicated(list(self.key))]
        if len(twice):
            yield f"{self.name}: {len(twice)} rows are given twice, the first of {self.row(twice)}"
        if self.even:
            yield from self._uneven(frame)

    def _uneven(self, frame: pd.DataFrame) -> Iterator[str]:
        """A line where the methods of a dataset, say, were measured on different masks."""
        all_of_set = frame.groupby("dataset")[self.even].transform("nunique")
        sharing = frame.groupby([c for c in self.key if c != self.even], sort=False)[self.even].transform("size")
        lost = frame[sharing < all_of_set]
        if len(lost):
            yield f"{self.name}: not every {self.even} of its dataset has {self.row(lost)}"

    def wrong(self, frame: pd.DataFrame) -> Iterator[str]:
        """A line for each unknown word, each column or metric that leaves its range, and each odd interval."""
        for key, column in self.columns.items():
            if column.words is not None:
                yield from (f"{self.name}: there is no {key} {w!r}" for w in sorted({*frame[key]} - {*column.words}))
            if column.dtype not in ("str", "bool"):
                yield from self._outside(frame, key, key, column.within)
            if column.dtype == "int" and len(odd := frame[frame[key] % 1 != 0]):
                yield f"{self.name}: {key} of {self.row(odd)} is {odd[key].iloc[0]}, no whole number"
        for metric, within in self.ranges.items():
            yield from self._outside(frame[frame["metric"] == metric], "value", metric, within)
        yield from self._intervals(frame)

    def _outside(self, frame: pd.DataFrame, key: str, called: str, within: Range) -> Iterator[str]:
        slack = 1e-9 if self.columns[key].dtype == "float64" and self.name.endswith(".parquet") else 1e-6
        out = frame[(frame[key] < within[0] - slack) | (frame[key] > within[1] + slack)]
        if len(out):
            told = f"{self.name}: {called} leaves [{within[0]:g}, {within[1]:g}] in {len(out)} rows"
            yield f"{told}, such as {out[key].iloc[0]:g} of {self.row(out)}"

    def _intervals(self, frame: pd.DataFrame) -> Iterator[str]:
        """Not low <= value <= high, but for digits that are not written."""
        ends = [name for name in ("low", self.between, "high") if name in self.columns]
        for low, high in pairwise(ends):
            for _, row in frame[frame[low] > frame[high] + 1e-7].iterrows():
                yield f"{self.name}: the {self.between or low} of {self.row(row)} lies outside of its interval"

    def strays(self, frame: pd.DataFrame, other: pd.DataFrame, name: str) -> Iterator[str]:
        """A line where rows refer to what the table `name` lacks."""
        keys = list(self.refers[name])
        left, right = (pd.MultiIndex.from_frame(table[keys].drop_duplicates()) for table in (frame, other))
        lost = left.difference(right)
        if len(lost):
            first = ", ".join(f"{key} {value}" for key, value in zip(keys, lost[0], strict=True))
            yield f"{self.name}: {first} is not in {name} ({len(lost)} such)"

    def row(self, rows: pd.DataFrame | pd.Series) -> str:
        """The key of a row, or of the first of several, as "dataset reef, method sam"."""
        first = rows if isinstance(rows, pd.Series) else rows.iloc[0]
        return ", ".join(f"{name} {first[name]}" for name in self.key)

    def differences(self, old: pd.DataFrame, new: pd.DataFrame) -> Iterator[str]:
        """A line where two runs have other columns or rows, or for each column whose values they do not share."""
        if list(old.columns) != list(new.columns) or len(old) != len(new):
            yield f"{self.name} has another shape: {new.shape}, was {old.shape}"
            return
        # a single mask may move further than a mean over masks
        tolerance = 10 * TOLERANCE if self.name.endswith(".parquet") else TOLERANCE
        steady = [name for name in old.columns if self.columns.get(name, NUMBER).repeats]
        for name, row in unlike(old[steady], new[steady], tolerance):
            yield f"{self.name}: {name} of row {row} is {new[name].iloc[row]}, was {old[name].iloc[row]}"


@dataclass(frozen=True)
class Tables:
    """The tables of a folder of reports by name, each read when it is asked for; UserError where one is no such table.

    schemas: by name. found: those that are read already.
    """

    reports: Path
    schemas: Mapping[str, Schema]
    found: dict[str, pd.DataFrame] = field(default_factory=dict)

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self.found:
            self.found[name] = self.schemas[name].read(self.reports / name)
        return self.found[name]

    def problems(self, names: Collection[str], between: "Check") -> list[str]:
        """What is wrong with some tables, a line each.

        between: what must hold between tables; not asked where one of `names` is broken, for then it says nothing.
        """
        if broken := [line for name in names for line in self.schemas[name].broken(self[name])]:
            return broken
        return [*(line for name in names for line in self._wrong(self.schemas[name])), *between(self)]

    def _wrong(self, schema: Schema) -> Iterator[str]:
        yield from schema.wrong(self[schema.name])
        for other in schema.refers:
            yield from schema.strays(self[schema.name], self[other], other)


Check = Callable[[Tables], Iterable[str]]


def unlike(old: pd.DataFrame, new: pd.DataFrame, tolerance: float) -> Iterator[tuple[str, int]]:
    """The columns of two tables of one shape that differ, each with its first row that does.

    tolerance: of numbers, absolute and relative; NaN is equal to NaN.
    """
    for name in old.columns:
        pair = old[name], new[name]
        if all(pd.api.types.is_numeric_dtype(v) and not pd.api.types.is_bool_dtype(v) for v in pair):
            alike = np.isclose(*pair, atol=tolerance, rtol=tolerance, equal_nan=True)
        else:
            left, right = (values.astype(object).fillna("").astype(str).to_numpy() for values in pair)
            alike = left == right
        if not alike.all():
            yield name, int(np.flatnonzero(~alike)[0])
