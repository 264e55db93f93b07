"""What one part of the benchmark is."""

from dataclasses import dataclass

from benchmarks.timing import Job

NAMES = (
    "metrics", "laplace_fit", "laplace_closed", "laplace_1000", "prompt_10", "variance", "all_but_tta", "tta_10",
    "pipeline",
)  # fmt: skip
SECONDS, PLAIN, ENCODER, REFERENCE = "seconds", "plain decode", "encoder", "encode + decode"


@dataclass(frozen=True)
class Reach:
    """At most so many times `of`: SECONDS, PLAIN, ENCODER or REFERENCE."""

    most: float
    of: str


@dataclass(frozen=True)
class Part:
    """What is timed. naive: its rival, which must agree within `tolerance` (see `agreement`).

    reference: the job that REFERENCE stands for. repeats: at most so many, for what takes long.
    """

    name: str
    size: str
    ours: Job
    naive: Job | None = None
    tolerance: float = 1e-4
    reach: Reach | None = None
    reference: Job | None = None
    repeats: int | None = None
