"""`reports/cost.csv`: what a mask costs with each method, in time and memory, on the machine that the run was made on.

method      a method, or "encoder": the pass that all methods share
unit        "mask", or "image" for the encoder
ms          median over repeats, milliseconds; ms_low, ms_high: the fastest and the slowest repeat
ratio       of ms to that of `sam`, a plain decode; empty for the encoder
peak_mb     tensors alive at one time while an image is answered, beyond its embedding; 10^6 bytes
state_mb    what was fitted or trained for it; 10^6 bytes
masks, images, repeats, device, threads: how it was taken

No two machines, and no two runs, give the same times: `uncertsam compare` asks here for the same rows alone.
"""

import math

from uncertsam.statistics.schema import COUNT, WORD, Column, Schema

ENCODER, PLAIN = "encoder", "sam"
_NUMBERS = ("ms", "ms_low", "ms_high", "ratio", "peak_mb", "state_mb")
COST = Schema(
    "cost.csv",
    "Run the time stage.",
    {"method": WORD, "unit": Column("str", words=("mask", "image")),
     **dict.fromkeys(_NUMBERS, Column(empty=True, repeats=False)), "masks": COUNT, "images": COUNT, "repeats": COUNT,
     "device": Column("str", repeats=False), "threads": Column("int", within=(1.0, math.inf), repeats=False)},
    ["method"],
    number="%.4g",
)  # fmt: skip
COLUMNS = list(COST.columns)
