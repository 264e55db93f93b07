"""Masks taken apart: nothing is lost, nothing is invented, and App. B means what scipy says it means."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image
from scipy import ndimage

from uncertsam.data.raw.images import Unusable
from uncertsam.data.raw.masks import (
    connected_components,
    fault,
    read_codes,
    split_colours,
    split_indices,
)

codes = npst.arrays(np.uint8, npst.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 4))
masks = npst.arrays(bool, npst.array_shapes(min_dims=2, max_dims=2, min_side=3, max_side=14))


def as_set(parts: list[np.ndarray]) -> set[bytes]:
    return {part.tobytes() for part in parts}


def scipy_components(mask: np.ndarray, iterations: int, min_area: int) -> list[np.ndarray]:
    """App. B in scipy's words; as in OpenCV, nothing is eroded from outside the picture."""
    square, closed = np.ones((3, 3), bool), mask
    if iterations:
        closed = ndimage.binary_dilation(closed, square, iterations)
        closed = ndimage.binary_erosion(closed, square, iterations, border_value=1)
    labels, n = ndimage.label(closed, square)
    parts = [(labels == i) & mask for i in range(1, n + 1)]
    return [part for part in parts if part.sum() > min_area]


@given(codes, st.sets(st.integers(0, 5)))
def test_indices_divide_the_image(image: np.ndarray, left_out: set[int]) -> None:
    parts = split_indices(image, left_out)
    assert list(parts) == sorted(set(np.unique(image).tolist()) - left_out)
    assert np.array_equal(
        sum((m.astype(int) for m in parts.values()), np.zeros(image.shape, int)), ~np.isin(image, list(left_out))
    )
    assert all((image[mask] == value).all() for value, mask in parts.items())


@given(npst.arrays(np.uint8, (5, 6, 3), elements=st.sampled_from([0, 1, 128, 255])))
def test_colours_equal_brute_force(image: np.ndarray) -> None:
    wanted = {tuple(pixel) for row in image.tolist() for pixel in row} - {(0, 0, 0)}
    parts = split_colours(image)
    assert set(parts) == wanted
    assert all(np.array_equal(mask, (image == colour).all(axis=2)) for colour, mask in parts.items())


@given(masks, st.integers(0, 3), st.sampled_from([0, 2, 9]))
@settings(max_examples=60, deadline=None)
def test_components_equal_scipys(mask: np.ndarray, iterations: int, min_area: int) -> None:
    ours = connected_components(mask, iterations=iterations, min_area=min_area)
    assert as_set(ours) == as_set(scipy_components(mask, iterations, min_area))


@given(masks)
def test_components_come_in_reading_order(mask: np.ndarray) -> None:
    first = [int(np.flatnonzero(part)[0]) for part in connected_components(mask, iterations=0, min_area=0)]
    assert first == sorted(first)


@pytest.mark.parametrize(("gap", "parts"), [(4, 1), (5, 2)])
def test_two_closings_bridge_four_pixels_and_the_bridge_is_cut_out_again(gap: int, parts: int) -> None:
    mask = np.zeros((40, 60), bool)
    mask[10:30, 5:20] = mask[10:30, 20 + gap : 40] = True
    found = connected_components(mask, min_area=0)
    assert len(found) == parts
    assert np.array_equal(np.any(found, axis=0), mask)


def test_a_component_must_be_larger_than_the_limit_after_the_cut() -> None:
    mask = np.zeros((80, 80), bool)
    mask[5:25, 5:55] = True  # 1,000 pixels
    assert connected_components(mask) == []
    mask[25, 5] = True
    assert len(connected_components(mask)) == 1
    holes = np.zeros((80, 80), bool)
    holes[10:60:2, 10:60:2] = True  # 625 pixels; closed they fill 49 x 49 = 2,401
    assert connected_components(holes) == []
    assert len(connected_components(holes, min_area=624)) == 1


def test_diagonal_pixels_touch_in_8_connectivity_only() -> None:
    mask = np.eye(5, dtype=bool)
    assert len(connected_components(mask, iterations=0, min_area=0, connectivity=8)) == 1
    assert len(connected_components(mask, iterations=0, min_area=0, connectivity=4)) == 5


@pytest.mark.parametrize(
    ("pixels", "reason"), [(0, "empty"), (7, "fewer than 8 pixels (7)"), (8, None), (99, None), (100, "every pixel")]
)
def test_masks_that_are_no_task_are_named(pixels: int, reason: str | None) -> None:
    mask = (np.arange(100) < pixels).reshape(10, 10)
    said = fault(mask)
    assert said is None if reason is None else said is not None and reason in said


def test_a_mask_of_all_but_the_void_is_no_task() -> None:
    mask = (np.arange(100) < 60).reshape(10, 10)
    assert fault(mask, ~mask) is not None
    assert fault(mask, np.zeros_like(mask)) is None


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "LA", "I;16", "I"])
def test_grey_codes_are_the_same_in_every_mode(tmp_path: Path, mode: str) -> None:
    grey = np.array([[0, 255, 0], [255, 255, 0]], np.uint8)
    deep = np.array([[0, 40000, 7], [1, 2, 0]], np.uint16)
    image = Image.fromarray(deep) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    path = tmp_path / ("m.tif" if mode == "I" else "m.png")
    image.save(path)
    wanted = deep if mode == "I;16" else grey // 255 if mode == "1" else grey
    assert np.array_equal(read_codes(path), wanted)


@pytest.mark.parametrize("value", [-1.0, 0.5, np.nan])
def test_values_that_are_no_labels_are_refused(tmp_path: Path, value: float) -> None:
    Image.fromarray(np.full((2, 2), value, np.float32)).save(tmp_path / "m.tif")
    with pytest.raises(Unusable, match="no labels"):
        read_codes(tmp_path / "m.tif")


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_broken_mask_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.png").write_bytes(content)
    with pytest.raises(Unusable, match="broken.png"):
        read_codes(tmp_path / "broken.png")
