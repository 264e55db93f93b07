"""`benchmarks.json`: a list of rows, one per part and size.

part, size, device, threads, repeats   what was timed, and how
ours_s, ours_low, ours_high            median and quartiles over repeats, seconds
naive_s, naive_low, naive_high         of the naive way, which gave the same; null where there is none
plain_s, encoder_s                     a plain decode of all objects, and the encoder, in the same rounds
ratio_to_naive, _plain, _encoder       ours_s over those
peak_mb                                of ours, 10^6 bytes: see `timing.with_peak`
reach, reach_of, reached_at, reached   the target; `reached_at` is what it is held against; null where there is none
model, clock                           whose cost it is; "wall" or "cpu" seconds
"""

from collections.abc import Mapping
from typing import Any

import torch

from benchmarks.agreement import demand_equal
from benchmarks.part import ENCODER, PLAIN, REFERENCE, SECONDS, Part
from benchmarks.setting import Setting
from benchmarks.timing import Clock, Job, Spread, laps, with_peak
from uncertsam.inference.algebra import answer

OURS, NAIVE = "ours", "naive"

Row = dict[str, Any]


def warm_up(setting: Setting) -> None:
    """Once through what every part is timed beside."""
    setting.encode()
    answer(setting.plain, setting.inputs)


def row(part: Part, setting: Setting, repeats: int, clock: Clock) -> Row:
    """Warm up, demand that both ways agree, then time them beside a plain decode and the encoder."""
    found, peak = with_peak(part.ours)
    if part.naive:
        demand_equal(part.name, found, part.naive(), part.tolerance)
    if part.reference:
        part.reference()
    del found
    count = min(repeats, part.repeats or repeats)
    times = laps(_jobs(part, setting), count, setting.model.device, clock)
    how = {"device": setting.model.device.type, "threads": torch.get_num_threads(), "repeats": count}
    named = {"part": part.name, "size": part.size, "model": f"{setting.model.name}, random weights", "clock": clock}
    return named | how | _times(times) | {"peak_mb": peak} | _reach(part, times)


def _jobs(part: Part, setting: Setting) -> dict[str, Job]:
    jobs: dict[str, Job | None] = {
        ENCODER: setting.encode,
        PLAIN: lambda: answer(setting.plain, setting.inputs),
        REFERENCE: part.reference,
        OURS: part.ours,
        NAIVE: part.naive,
    }
    return {name: job for name, job in jobs.items() if job}


def _times(times: Mapping[str, Spread]) -> Row:
    ours = times[OURS].median
    found: Row = {}
    for name, key in ((OURS, "ours"), (NAIVE, "naive")):
        spread = times.get(name)
        found |= {f"{key}_s": spread and spread.median, f"{key}_low": spread and spread.low}
        found[f"{key}_high"] = spread and spread.high
    for name, key in ((NAIVE, "naive"), (PLAIN, "plain"), (ENCODER, "encoder")):
        other = times[name].median if name in times else None
        found |= {f"{key}_s": other, f"ratio_to_{key}": ours / other if other else None}
    return found


def _reach(part: Part, times: Mapping[str, Spread]) -> Row:
    if not part.reach:
        return dict.fromkeys(("reach", "reach_of", "reached_at", "reached"))
    ours, of = times[OURS].median, part.reach.of
    at = ours if of == SECONDS else ours / times[of].median
    return {"reach": part.reach.most, "reach_of": of, "reached_at": at, "reached": at <= part.reach.most}
