"""What the worlds draw with, and that shadows and hidden objects are what their masks claim."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from uncertsam.base.rng import numpy_generator
from uncertsam.data.raw.synthesis import shapes, textures
from uncertsam.data.raw.worlds import camouflage, soft_shadows

SIZE = 144


def _linear(image: np.ndarray) -> np.ndarray:
    return (image / 255.0) ** textures.GAMMA


def _parts(mask: np.ndarray) -> int:
    return cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0] - 1


@pytest.mark.parametrize("kind", textures.PATTERNS)
def test_every_material_renders_finite_light_that_is_not_flat(kind: str) -> None:
    rng = numpy_generator(0, kind)
    light = textures.Material.draw(rng, (kind,)).render(rng, 50, 70)
    assert light.shape == (50, 70, 3) and light.min() >= 0 and light.max() <= 1
    assert light.std(axis=(0, 1)).max() > 0.001


def test_every_shape_is_one_connected_object_of_1_to_50_percent() -> None:
    masks = [shapes.shape(numpy_generator(6, k), 70, 110) for k in range(60)]
    assert all(_parts(m) == 1 and 0.01 <= m.mean() <= 0.5 for m in masks)


@pytest.mark.parametrize("kind", shapes.KINDS)
def test_every_silhouette_fills_its_crop_from_side_to_side(kind: str) -> None:
    drawn = shapes.silhouette(numpy_generator(7, kind), (kind,))
    assert _parts(drawn) == 1
    assert drawn[0].any() and drawn[-1].any() and drawn[:, 0].any() and drawn[:, -1].any()


def _shadowed(index: int, **params: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return soft_shadows.draw(soft_shadows.Params(size=SIZE, seed=3, **params), index)


def test_shadow_mask_is_where_more_than_half_of_the_shadows_depth_is_gone() -> None:
    for index in range(6):
        picture, mask, free = _shadowed(index)
        lost = 1 - cv2.blur(_linear(picture), (5, 5)).mean(-1) / cv2.blur(_linear(free), (5, 5)).mean(-1)
        inside = cv2.erode(mask.astype(np.uint8), np.ones((7, 7))) > 0
        outside = cv2.dilate(mask.astype(np.uint8), np.ones((7, 7))) == 0
        depth = np.percentile(lost[mask], 95)
        assert (lost[inside] > 0.5 * depth).mean() > 0.98
        assert (lost[outside] < 0.5 * depth).mean() > 0.98


def test_two_views_of_a_scene_share_the_ground_and_not_the_shadow(tmp_path: Path) -> None:
    soft_shadows.generate(tmp_path, soft_shadows.Params(count=6, size=SIZE, seed=3))
    names = {f"{name}.png" for name in ("1-1", "2-1", "3-1", "4-1", "4-2", "5-1")}
    assert all({p.name for p in (tmp_path / "test" / f"test_{part}").iterdir()} == names for part in "ABC")
    (_, mask, ground), (_, other, same) = _shadowed(3), _shadowed(4)
    assert np.corrcoef(_linear(ground).ravel(), _linear(same).ravel())[0, 1] > 0.8 and (mask != other).any()


def test_a_deeper_shadow_is_darker_and_keeps_its_mask() -> None:
    (faint, mask, free), (deep, same, ground) = (_shadowed(0, contrast=c) for c in (0.2, 0.6))
    assert (mask == same).mean() > 0.95
    assert deep[mask].mean() / ground[mask].mean() < faint[mask].mean() / free[mask].mean() - 0.1


def _tone_gaps(count: int, **params: float) -> list[float]:
    """Per picture: the largest gap between the objects' mean colour and that of the ground around them, of 255."""
    gaps = []
    for index in range(count):
        picture, instances, _ = camouflage.draw(camouflage.Params(size=SIZE, seed=3, **params), index)
        mask = (instances > 0).astype(np.uint8)
        ring = (cv2.dilate(mask, np.ones((41, 41))) > 0) & (cv2.dilate(mask, np.ones((7, 7))) == 0)
        gaps.append(float(np.abs(picture[mask > 0].mean(axis=0) - picture[ring].mean(axis=0)).max()))
    return gaps


def test_a_hidden_objects_mean_colour_is_close_to_its_grounds() -> None:
    gaps = _tone_gaps(6)
    assert max(gaps) < 50 and np.median(gaps) < 20


def test_contrast_is_what_gives_a_hidden_object_away() -> None:
    assert np.mean(_tone_gaps(4, contrast=0.1)) < 0.7 * np.mean(_tone_gaps(4, contrast=1.8))


def test_hidden_objects_are_connected_and_one_mask_holds_them_all(tmp_path: Path) -> None:
    params = camouflage.Params(count=6, size=SIZE, seed=3)
    camouflage.generate(tmp_path, params)
    for index in range(6):
        (path,) = (tmp_path / "Test" / "GT_Object").glob(f"COD10K-CAM-1-Synthetic-*-{index + 1}.png")
        instances = camouflage.draw(params, index)[1]
        assert np.array_equal(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 0, instances > 0)
        assert [_parts(instances == k) for k in range(1, instances.max() + 1)] == [1] * instances.max()
