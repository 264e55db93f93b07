"""Pictures with many masks of every kind, in SA-1B's raw layout: `sa_000000/sa_N.jpg` beside `sa_N.json`.

Things of any stuff, shadows, panes, thin lines and parts of things. Each JSON is {"image", "annotations"}, its masks
compressed RLE in COCO's coding. A mask is what is seen of a thing: later things hide earlier ones, shadows and panes
hide nothing.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as masktools

from uncertsam.base.files import write_json
from uncertsam.base.rng import numpy_generator
from uncertsam.data.raw.synthesis import scenery, shapes, textures
from uncertsam.data.raw.synthesis.textures import Colour, Mask, Material, Picture, Rng
from uncertsam.data.raw.worlds import WorldParams, frame, save

WORLD = "everything"
PER_FOLDER = 10_000
SMALLEST = 100  # pixels
Layer = tuple[Colour, Mask, bool]  # the scene with one thing more, where it is, and whether it hides what is behind


Params = WorldParams


def generate(root: Path, params: Params) -> None:
    """Write `params.count` pictures and their masks below `root`."""
    for index in range(params.count):
        picture, masks = draw(params, index)
        stem = root / f"sa_{index // PER_FOLDER:06d}" / f"sa_{index + 1}"
        save(stem.with_suffix(".jpg"), picture)
        rng = numpy_generator(params.seed, WORLD, "json", index)
        write_json(stem.with_suffix(".json"), _annotated(rng, index + 1, picture.shape[:2], masks))


def draw(params: Params, index: int) -> tuple[Picture, list[Mask]]:
    """Picture `index` and its masks, none of them empty."""
    rng = numpy_generator(params.seed, WORLD, index)
    height, width = frame(rng, params.size)
    scene = scenery.cluttered(rng, height, width, things=0)
    masks: list[Mask] = []
    for _ in range(int(rng.integers(5, 9))):
        scene, mask, opaque = KINDS[int(rng.choice(len(KINDS), p=SHARES))](rng, scene)
        masks = [m & ~mask for m in masks] if opaque else masks
        masks.append(mask)
        if opaque and rng.random() < 0.3:
            scene, part = _part(rng, scene, mask)
            masks.append(part)
    seen = [m for m in map(shapes.largest_component, masks) if np.count_nonzero(m) > SMALLEST]
    return scenery.pictured(rng, scene), seen


def _thing(rng: Rng, scene: Colour) -> Layer:
    """Any silhouette, of any stuff."""
    height, width, _ = scene.shape
    mask = shapes.sprawling(rng, height, width, (0.015, 0.12), margin=-0.05)
    return scenery.hidden(rng, scene, mask, Material.draw(rng), float(rng.uniform(0.6, 1.5)), fade=2.0), mask, True


def _line(rng: Rng, scene: Colour) -> Layer:
    """A branch or a worm."""
    height, width, _ = scene.shape
    drawn = shapes.silhouette(rng, ("branches", "worm", "creature"))
    mask = shapes.place(rng, drawn, height, width, float(rng.uniform(0.02, 0.08)), margin=0.02)
    return scenery.hidden(rng, scene, mask, Material.draw(rng), 1.5, fade=1.2), mask, True


def _shadow(rng: Rng, scene: Colour) -> Layer:
    """A shadow with soft or crisp edges."""
    height, width, _ = scene.shape
    occluder = shapes.sprawling(rng, height, width, (0.03, 0.12), margin=-0.05)
    shade = scenery.penumbra(rng, occluder, softest=(1.0, 6.0))
    return textures.lit(scene, 1 - np.float32(rng.uniform(0.35, 0.7)) * shade), shade > 0.5, False


def _pane(rng: Rng, scene: Colour) -> Layer:
    """A piece of glass."""
    height, width, _ = scene.shape
    mask = shapes.place(rng, shapes.silhouette(rng, ("polygon",)), height, width, float(rng.uniform(0.03, 0.15)))
    return scenery.glazed(rng, scene, mask, (0.4, 0.75)), mask, False


def _part(rng: Rng, scene: Colour, whole: Mask) -> tuple[Colour, Mask]:
    """A patch on a thing, a mask of its own within the thing's."""
    part = whole & scenery.half_plane(rng, *whole.shape)
    if not part.any():
        return scene, part
    edge = cv2.GaussianBlur(part.astype(np.float32), (0, 0), 0.8)
    paint = rng.uniform(0.4, 1.6) * rng.uniform(0.8, 1.2, 3)
    return np.clip(scene * (1 + edge[..., None] * (paint - 1).astype(np.float32)), 0, 1), part


KINDS: tuple[Callable[[Rng, Colour], Layer], ...] = (_thing, _shadow, _pane, _line)
SHARES = (0.5, 0.2, 0.2, 0.1)


def _annotated(rng: Rng, number: int, shape: tuple[int, ...], masks: list[Mask]) -> dict[str, Any]:
    """What is published beside a picture."""
    height, width = shape
    image = {"image_id": number, "width": width, "height": height, "file_name": f"sa_{number}.jpg"}
    annotations = [_annotation(rng, 1000 * number + k, mask) for k, mask in enumerate(masks)]
    return {"image": image, "annotations": annotations}


def _annotation(rng: Rng, number: int, mask: Mask) -> dict[str, Any]:
    """One mask with a point on it; box and crop are [x, y, width, height] in pixels."""
    height, width = mask.shape
    packed: Any = masktools.encode(np.asfortranarray(mask.astype(np.uint8)))
    ys, xs = np.nonzero(mask)
    at = int(rng.integers(len(xs)))
    return {
        "id": number,
        "segmentation": {"size": [height, width], "counts": packed["counts"].decode("ascii")},
        "bbox": list(map(float, cv2.boundingRect(mask.astype(np.uint8)))),
        "area": len(xs),
        "predicted_iou": round(float(rng.uniform(0.88, 1.0)), 6),
        "point_coords": [[float(xs[at]), float(ys[at])]],
        "crop_box": [0.0, 0.0, float(width), float(height)],
        "stability_score": round(float(rng.uniform(0.95, 1.0)), 6),
    }
