"""Volumes (NIfTI) as 8-bit slices: App. B's "CT scan processing", with whatever it leaves open as a parameter.

App. B filters "foreground voxels" and refers to Du et al. (2025, SegVol), whose code takes the voxels brighter than the
volume's mean; read as label voxels, the same words would leak the label into the image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import nibabel
import numpy as np
import pydantic
from jaxtyping import Float, Shaped, UInt8, UInt16
from tqdm import tqdm

from uncertsam.data.format import Quality
from uncertsam.data.raw.adapters._nifti_files import open_nifti, size_of, turned, values_of
from uncertsam.data.raw.adapters.base import Labels, RawImage, Skipped, plural
from uncertsam.data.raw.found import below
from uncertsam.data.raw.images import Photo, Unusable
from uncertsam.data.raw.masks import distinct
from uncertsam.data.raw.pairs import Pair

Axis = Literal["axial", "coronal", "sagittal"]
Percentile = Annotated[float, pydantic.Field(ge=0, le=100)]
AXES: dict[Axis, int] = {"sagittal": 0, "coronal": 1, "axial": 2}  # axes lead right, anterior, superior
APART = 0.01  # mm: how far the affines of a volume and its label may differ
FOREGROUND = {
    "intensity": "voxels brighter than {threshold}",
    "label": "voxels of the chosen labels (the paper's words taken literally: this leaks the label into the image)",
    "all": "all voxels",
}
ORDER = {
    "zscore_clip": "z-scores are taken first, then clipped",
    "clip_zscore": "intensities are clipped first, and mean and standard deviation are those after the clip",
}


class VolumeParams(pydantic.BaseModel, extra="forbid", allow_inf_nan=False):
    """How volumes become slices.

    labels: values that are masks, each its own (null: all but 0). volume: which one of a 4-D file, from 0. foreground:
    whose mean, standard deviation and percentiles count; threshold: above it is body, for `intensity`. window: the
    z-scores that become black and white (null: the ends of the clip). most_nan: the share of voxels that may be NaN or
    infinite. match_affine: false where headers cannot be trusted, and labels lie on the volume voxel by voxel.
    """

    axis: Axis = "axial"
    labels: list[int] | None = pydantic.Field(None, min_length=1)
    volume: int | None = pydantic.Field(None, ge=0)
    foreground: Literal["intensity", "label", "all"] = "intensity"
    threshold: float | Literal["mean"] = "mean"
    clip: tuple[Percentile, Percentile] = (0.05, 99.95)
    order: Literal["zscore_clip", "clip_zscore"] = "zscore_clip"
    window: tuple[float, float] | None = None
    most_nan: float = pydantic.Field(0.01, ge=0, lt=1)
    match_affine: bool = True

    @pydantic.field_validator("clip", "window")
    @classmethod
    def _ascending(cls, ends: tuple[float, float] | None) -> tuple[float, float] | None:
        if ends and not ends[0] < ends[1]:
            raise ValueError("the first number has to be the smaller one")
        return ends

    def sentences(self) -> list[str]:
        """The rules, for the report."""
        shown = "their volume's mean (as Du et al. do)" if self.threshold == "mean" else f"{self.threshold:g}"
        grey = "the ends of the clip" if self.window is None else "the z-scores {:g} and {:g}".format(*self.window)
        chosen = "a label" if self.labels is None else f"label {' or '.join(map(str, self.labels))}"
        lines = [
            f"Volumes are turned to right, anterior, superior and cut into {self.axis} slices, of which those with "
            f"{chosen} are kept; every label is a mask of its own, and nothing is resampled.",
            f"Intensities are normalised by volume: z-scores, clipped to the percentiles {self.clip[0]:g} and "
            f"{self.clip[1]:g}; {ORDER[self.order]}. Foreground, whose statistics count: "
            f"{FOREGROUND[self.foreground].format(threshold=shown)}.",
            f"In 8 bits, {grey} become black (0) and white (255).",
        ]
        if self.window is None:
            lines.append("So shift and scale of the z-score cancel, and so does the order of the two steps.")
        return [*lines, "All slices of one volume stay together as one patient."]


@dataclass(frozen=True)
class Volume:
    """A volume and its labels, axes right, anterior, superior; `replaced` counts voxels that were no numbers."""

    voxels: Float[np.ndarray, "x y z"]
    labels: UInt16[np.ndarray, "x y z"]
    replaced: int

    def slices(self, axis: Axis, chosen: Sequence[int] | None) -> list[int]:
        """The places along an axis where a chosen label occurs, ascending."""
        others = tuple(i for i in range(3) if i != AXES[axis])
        return [int(i) for i in np.flatnonzero(_is_chosen(self.labels, chosen).any(axis=others))]


@dataclass(frozen=True)
class _Scale:
    """A volume's normalisation: intensities are clipped to [low, high]; black and white are intensities as well."""

    low: float
    high: float
    black: float
    white: float

    def __call__(self, voxels: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
        """Grey in [0, 255]."""
        clipped = np.clip(voxels.astype(np.float64), self.low, self.high)
        grey = (clipped - self.black) * (255.0 / (self.white - self.black))
        return np.rint(grey).clip(0, 255).astype(np.uint8)


def read_volume(image: Path, labels: Path, params: VolumeParams) -> Volume:
    """Read a volume and its labels. Raises Unusable, saying why, where they cannot be read or do not fit together."""
    picture, mask = open_nifti(image, params.volume), open_nifti(labels, None)
    if not params.match_affine:
        mask = nibabel.Nifti1Image(values_of(mask, labels), picture.affine)  # type: ignore[no-untyped-call]
    picture, mask = turned(picture, image), turned(mask, labels)
    if picture.shape != mask.shape:
        raise Unusable(f"its label is {size_of(mask)} voxels large, the volume {size_of(picture)}")
    if not np.allclose(picture.affine, mask.affine, atol=APART):
        raise Unusable("its label lies elsewhere in space; if only a header is wrong, set `match_affine: false`")
    codes = _codes(values_of(mask, labels), labels)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is counted as such
        voxels = values_of(picture, image).astype(np.float32)
    return Volume(voxels, codes, _replace(voxels, params.most_nan))


def scale_of(volume: Volume, params: VolumeParams) -> _Scale:
    """The normalisation of one volume (App. B, "CT scan processing"). Raises Unusable where its foreground is flat."""
    values = _foreground(volume, params)
    if values.size == 0:
        raise Unusable("it has no foreground voxel")
    low, high = (float(end) for end in np.percentile(values, params.clip))
    if not low < high:
        raise Unusable("its foreground voxels are all equal, or nearly all")
    if params.window is None:
        return _Scale(low, high, low, high)
    if params.order == "clip_zscore":
        values = values.clip(low, high)
    mean, std = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    black, white = (mean + z * std for z in params.window)
    return _Scale(low, high, black, white)


def cut(volume: Shaped[np.ndarray, "x y z"], axis: Axis, at: int) -> Shaped[np.ndarray, "h w"]:
    """One slice as radiologists look at it: superior or anterior up, and the patient's right (or front) on the left."""
    return volume.take(at, AXES[axis])[::-1, ::-1].T


def read_slices(
    root: Path, pairs: Sequence[Pair], params: VolumeParams, quality: Quality, names: Mapping[int, str]
) -> tuple[list[RawImage], list[Skipped], list[str]]:
    """The slices with a chosen label as images, the volumes left out, and what to say of them. `names` are of labels.

    Every volume is read once here and once more when its slices are; only one is held at a time.
    """
    images: list[RawImage] = []
    skipped: list[Skipped] = []
    replaced: list[int] = []
    slicer = _Slicer(params, names)
    for pair in tqdm(pairs, desc="looking through the volumes", disable=None, leave=False):
        name = below(root, pair.image)
        try:
            images += slicer.images(pair, name, quality)
            replaced.append(slicer.volume(pair).replaced)
        except Unusable as error:
            skipped.append(Skipped(name, str(error)))
    slicer.let_go()
    hit = [n for n in replaced if n]
    note = f"{plural(sum(hit), 'voxel')} of {plural(len(hit), 'volume')}, NaN or infinite, became the volume's minimum."
    return images, skipped, [note] if hit else []


class _Slicer:
    """Cuts volumes into images. It holds the volume asked for last, and lets it go before it reads another one."""

    def __init__(self, params: VolumeParams, names: Mapping[int, str]) -> None:
        self.params, self.names = params, names
        self._held: tuple[Pair, Volume] | None = None

    def volume(self, pair: Pair) -> Volume:
        if self._held is None or self._held[0] != pair:
            self.let_go()
            self._held = pair, read_volume(pair.image, pair.mask, self.params)
        return self._held[1]

    def let_go(self) -> None:
        self._held = None

    def images(self, pair: Pair, name: str, quality: Quality) -> list[RawImage]:
        places = self.volume(pair).slices(self.params.axis, self.params.labels)
        if not places:
            raise Unusable("no voxel has a chosen label")
        scale = scale_of(self.volume(pair), self.params)
        return [
            RawImage(
                name=f"{name}#{self.params.axis}_{at:04d}",
                path=pair.image,
                read_labels=partial(self.labels, pair, at),
                group=pair.name,
                quality=quality,
                picture=partial(self.photo, pair, scale, at),
            )
            for at in places
        ]

    def photo(self, pair: Pair, scale: _Scale, at: int) -> Photo:
        grey = scale(cut(self.volume(pair).voxels, self.params.axis, at))
        return Photo(np.repeat(grey[..., None], 3, axis=2), frozenset(), is_jpeg=False)

    def labels(self, pair: Pair, at: int) -> Labels:
        codes = cut(self.volume(pair).labels, self.params.axis, at)
        chosen = [v for v in distinct(codes) if _is_chosen(np.asarray(v), self.params.labels)]
        return Labels((codes.shape[0], codes.shape[1]), [(self.names.get(v, str(v)), codes == v) for v in chosen])


def _is_chosen(codes: np.ndarray, chosen: Sequence[int] | None) -> np.ndarray:
    return np.asarray(codes > 0 if chosen is None else np.isin(codes, chosen))


def _foreground(volume: Volume, params: VolumeParams) -> Float[np.ndarray, " n"]:
    if params.foreground == "all":
        return volume.voxels.ravel()
    if params.foreground == "label":
        return volume.voxels[_is_chosen(volume.labels, params.labels)]
    at = volume.voxels.mean(dtype=np.float64) if params.threshold == "mean" else params.threshold
    return volume.voxels[volume.voxels > at]


def _codes(values: np.ndarray, path: Path) -> UInt16[np.ndarray, "x y z"]:
    with np.errstate(invalid="ignore"):  # NaN is found by the comparison
        codes = values.astype(np.uint16)
    if (codes != values).any():
        raise Unusable(f"{path.name} holds values that are no labels (whole numbers from 0 to 65535)")
    return codes


def _replace(voxels: Float[np.ndarray, "x y z"], most: float) -> int:
    """Put the minimum in place of all that is not finite, in place; how many voxels that were."""
    bad = ~np.isfinite(voxels)
    count = int(np.count_nonzero(bad))
    if count > most * voxels.size:
        raise Unusable(f"{count} of its {voxels.size} voxels are NaN or infinite, more than {most:.2%}")
    if count:
        voxels[bad] = voxels[~bad].min()
    return count
