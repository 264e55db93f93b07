"""How clicking is simulated. Read by `params.py`, so nothing heavy is imported here."""

from typing import Literal

from pydantic import BaseModel, Field, PositiveInt


class Clicking(BaseModel, extra="forbid", frozen=True):
    """Which masks are clicked at, and how.

    datasets: null for all reported ones. images: of each, drawn by hash with `seed`; masks: at most, of each image,
    null for all. methods: whose uncertainty is asked; those of them that are predicted, or else the first that is.
    start: the clean box, or a click at the object's centre. clicks: how many follow. apart: no click comes nearer to an
    earlier one than this share of the image's diagonal, while there are other places.
    """

    datasets: list[str] | None = Field(None, min_length=1)
    images: PositiveInt
    masks: PositiveInt | None
    seed: int
    methods: list[str] = Field(min_length=1)
    start: Literal["box", "click"] = "box"
    clicks: PositiveInt = 3
    apart: float = Field(0.02, ge=0, le=0.5)
