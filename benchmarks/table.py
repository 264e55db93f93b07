"""The table that is printed."""

from collections.abc import Sequence

from benchmarks.part import SECONDS
from benchmarks.rows import Row

HEADS = ("part", "ours", "quartiles", "naive", "/naive", "/plain", "/encoder", "MB", "target", "", "size")


def table(rows: Sequence[Row]) -> str:
    """One line per row, in columns."""
    lines = [HEADS, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADS))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    ratios = (_ratio(row[f"ratio_to_{other}"]) for other in ("naive", "plain", "encoder"))
    times = _seconds(row["ours_s"]), f"{_seconds(row['ours_low'])} - {_seconds(row['ours_high'])}"
    return (row["part"], *times, _seconds(row["naive_s"]), *ratios, f"{row['peak_mb']:.0f}", *_target(row), row["size"])


def _target(row: Row) -> tuple[str, str]:
    if row["reach"] is None:
        return "-", ""
    if row["reach_of"] == SECONDS:
        wanted, found = _seconds(row["reach"]), _seconds(row["reached_at"])
    else:
        wanted, found = f"{row['reach']:.3g} x {row['reach_of']}", f"{row['reached_at']:.3g} x"
    return wanted, f"{'reached' if row['reached'] else 'MISSED'}: {found}"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{1000 * value:.3g} ms" if value < 1 else f"{value:.3g} s"
