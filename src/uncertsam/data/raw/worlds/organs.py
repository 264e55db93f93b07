"""CT scans of a body with a spleen among neighbours of nearly its grey, in the layout of MSD's Task09_Spleen.

`imagesTr` and `labelsTr` hold volumes (NIfTI, 16 bits, Hounsfield units), `dataset.json` lists them. Axes lead left,
anterior, superior, as in many scans, so that a reader has to turn them.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import nibabel
import numpy as np
from jaxtyping import Float32, Int16, UInt8
from pydantic import Field

from uncertsam.base.files import write_json
from uncertsam.base.rng import numpy_generator
from uncertsam.data.raw.synthesis import shapes, textures
from uncertsam.data.raw.synthesis.textures import Field as Slice
from uncertsam.data.raw.synthesis.textures import Mask, Rng
from uncertsam.data.raw.worlds import WorldParams

WORLD = "organs"
SLICES, SHOWN = 10, 6  # of a volume; of these with a spleen
AIR, FAT, MUSCLE, BONE = -1000.0, -100.0, 45.0, 230.0  # Hounsfield units


class Params(WorldParams):
    """`count` volumes of `size` x `size` x 10 voxels; `contrast`: how far organs are from each other, in 60 HU."""

    count: int = Field(4, ge=1, le=100_000)
    size: int = Field(192, ge=64, le=1024)
    contrast: float = Field(0.8, gt=0, le=3)


@dataclass(frozen=True)
class _Body:
    """What all slices of one body share: places are relative to the picture's side, the centre is 0."""

    size: int
    half: tuple[float, float]
    organs: list["_Organ"]


@dataclass(frozen=True)
class _Organ:
    """A smooth lump: its radius over the angle in steps of one degree, at half its height; `grey` in HU."""

    centre: tuple[float, float]
    radius: Float32[np.ndarray, "360"]
    middle: float  # slice
    reach: float  # slices, from the middle to either end
    grey: float


def generate(root: Path, params: Params) -> None:
    """Write `params.count` volumes, their labels and dataset.json below `root`."""
    for index in range(params.count):
        voxels, labels = draw(params, index)
        affine = _affine(numpy_generator(params.seed, WORLD, "affine", index), params.size)
        for folder, values in ("imagesTr", voxels), ("labelsTr", labels):
            (root / folder).mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(values, affine), root / folder / _name(index))  # type: ignore[no-untyped-call]
    write_json(root / "dataset.json", _task(params.count))


def draw(params: Params, index: int) -> tuple[Int16[np.ndarray, "x y z"], UInt8[np.ndarray, "x y z"]]:
    """Volume `index` in Hounsfield units, and 1 where its spleen is."""
    rng = numpy_generator(params.seed, WORLD, index)
    body = _body(rng, params)
    noise = float(rng.uniform(8, 18))
    cuts = [_slice(rng, body, z, noise) for z in range(SLICES)]
    voxels, spleen = (np.stack([cut[k] for cut in cuts], axis=-1) for k in (0, 1))
    return np.rint(voxels).astype(np.int16).transpose(1, 0, 2), spleen.astype(np.uint8).transpose(1, 0, 2)


def _name(index: int) -> str:
    return f"spleen_{index + 1}.nii.gz"


def _task(count: int) -> dict[str, object]:
    files = [_name(index) for index in range(count)]
    return {
        "name": "Spleen",
        "description": "Synthetic bodies",
        "tensorImageSize": "3D",
        "modality": {"0": "CT"},
        "labels": {"0": "background", "1": "spleen"},
        "numTraining": count,
        "numTest": 0,
        "training": [{"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"} for name in files],
        "test": [],
    }


def _affine(rng: Rng, size: int) -> Float32[np.ndarray, "4 4"]:
    """Voxels of about 1.8 x 1.8 x 5 mm; the first axis leads left, and the second to the back."""
    step = np.float32(340 / size * rng.uniform(0.9, 1.1))
    affine = np.diag([-step, -step, np.float32(rng.choice([3, 5])), 1]).astype(np.float32)
    affine[:3, 3] = rng.uniform([150, 130, -900], [180, 170, -600])
    return affine


def _body(rng: Rng, params: Params) -> _Body:
    """A body whose spleen, first of its organs, lies between the wall, the stomach and a kidney."""
    half = float(rng.uniform(0.4, 0.46)), float(rng.uniform(0.28, 0.35))
    spread, middle = 60 * params.contrast, (SLICES - 1) / 2

    def organ(x: float, y: float, radius: float, reach: float = 9.0, unevenness: float = 0.25) -> _Organ:
        place = half[0] * (x + rng.normal(0, 0.04)), half[1] * (y + rng.normal(0, 0.04))
        grey = MUSCLE + float(rng.uniform(-0.3, 0.9)) * spread
        return _Organ(place, _lumpy(rng, radius, unevenness), middle, reach, grey)

    spleen = organ(0.58, 0.2, float(rng.uniform(0.12, 0.15)), SHOWN / 2, 0.35)
    bowels = []
    for _ in range(int(rng.integers(3, 8))):
        x, y = rng.uniform([-0.5, -0.7], [0.6, 0.4]).tolist()
        bowels.append(organ(x, y, float(rng.uniform(0.03, 0.07)), float(rng.uniform(3, 7))))
    liver = organ(-0.5, -0.1, float(rng.uniform(0.16, 0.2)))
    stomach = organ(0.25, -0.15, float(rng.uniform(0.08, 0.12)))
    kidneys = [organ(x, 0.5, float(rng.uniform(0.05, 0.07))) for x in (-0.42, 0.32)]
    return _Body(params.size, half, [spleen, *bowels, liver, stomach, *kidneys])


def _lumpy(rng: Rng, mean: float, unevenness: float) -> Float32[np.ndarray, "360"]:
    """A closed smooth curve: a radius with harmonics that fall off."""
    angle, waves = np.radians(np.arange(360)), np.arange(1, 7)[:, None]
    strength = rng.normal(0, unevenness, 6) / waves[:, 0]
    bumps = strength @ np.cos(waves * angle + rng.uniform(0, 2 * np.pi, (6, 1)))
    return (mean * np.exp(np.clip(bumps, -0.9, 0.6))).astype(np.float32)


def _slice(rng: Rng, body: _Body, z: int, noise: float) -> tuple[Slice, Mask]:
    """One cut in Hounsfield units, as the patient lies; and its spleen."""
    inside, flesh, hollow = (_ellipse(body, (0.0, 0.0), (body.half[0] - d, body.half[1] - d)) for d in (0, 0.025, 0.06))
    tissue = np.where(flesh & ~hollow, np.float32(MUSCLE), np.float32(FAT))
    spleen, *others = (_cut(body, organ, z) & flesh for organ in body.organs)
    tissue[spleen] = body.organs[0].grey
    for organ, mask in zip(body.organs[1:], others, strict=True):
        tissue[mask] = organ.grey
    tissue[_ellipse(body, (0.0, 0.65 * body.half[1]), (0.06, 0.055))] = BONE
    tissue = _textured(rng, tissue)
    light = np.where(inside, tissue, np.float32(AIR)) + np.float32(noise) * textures.noise(
        rng, body.size, body.size, 1.5
    )
    return cv2.GaussianBlur(light, (0, 0), 0.6), shapes.largest_component(spleen & ~np.logical_or.reduce(others))


def _textured(rng: Rng, tissue: Slice) -> Slice:
    """Soft borders of organs, vessels and uneven blood within."""
    soft = cv2.GaussianBlur(tissue, (0, 0), 1.0)
    return soft + 10 * textures.fractal(rng, len(tissue), len(tissue), 14.0)


def _cut(body: _Body, organ: _Organ, z: int) -> Mask:
    """An organ's cut at slice z; empty above and below it."""
    height = (z - organ.middle) / organ.reach
    if abs(height) >= 1:
        return np.zeros((body.size, body.size), bool)
    x, y = _places(body, organ.centre)
    degree = np.degrees(np.arctan2(y, x)).astype(np.int64) % 360
    return np.asarray(np.hypot(x, y) < organ.radius[degree] * np.float32((1 - height**2) ** 0.25))


def _ellipse(body: _Body, centre: tuple[float, float], half: tuple[float, float]) -> Mask:
    x, y = _places(body, centre)
    return np.asarray((x / half[0]) ** 2 + (y / half[1]) ** 2 < 1)


def _places(body: _Body, centre: tuple[float, float]) -> tuple[Slice, Slice]:
    line = np.linspace(-0.5, 0.5, body.size, dtype=np.float32)
    return line[None, :] - np.float32(centre[0]) + 0 * line[:, None], line[:, None] - np.float32(centre[1]) + 0 * line
