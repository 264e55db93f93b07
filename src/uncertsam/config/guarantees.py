"""What is promised, and how it is tested. Read by `params.py`, so nothing heavy is imported here."""

from typing import Annotated

from pydantic import BaseModel, Field, PositiveInt

Share = Annotated[float, Field(gt=0, lt=1)]


class Guarantees(BaseModel, extra="forbid", frozen=True):
    """What is promised of which methods.

    datasets: null for all reported ones that have images enough. methods: those of them that are
    predicted, or else the first that is. alphas:
    the mean shares of an object that a mask may miss; n calibrate images can promise alpha only where
    1 / (n + 1) <= alpha. splits: random ones of the reported images into calibrate and test images. calibrate: the
    share of the images on the calibrate side. levels: mean IoUs that the masks kept by abstention are to reach.
    """

    datasets: list[str] | None = Field(None, min_length=1)
    methods: list[str] = Field(min_length=1)
    alphas: list[Share] = Field(min_length=1)
    splits: PositiveInt = 200
    calibrate: Share = 0.5
    levels: list[Share] = Field(min_length=1)
