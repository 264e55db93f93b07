"""The synthetic worlds: repeatable, in their raw layouts, and true to what their masks claim."""

from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from uncertsam.base.rng import numpy_generator
from uncertsam.data.raw.synthesis import shapes, textures
from uncertsam.data.raw.worlds import camouflage, soft_shadows

WORLDS = [soft_shadows, camouflage]
SIZE = 144


@pytest.fixture(scope="module")
def shadows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _generated(soft_shadows, tmp_path_factory.mktemp("shadows"), count=6)


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _generated(camouflage, tmp_path_factory.mktemp("hidden"), count=6)


def _generated(world: ModuleType, root: Path, **params: float) -> Path:
    world.generate(root, world.Params(**{"size": SIZE, "seed": 3, **params}))
    return root


def _bytes(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*.*")}


def _read(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


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


@pytest.mark.parametrize("world", WORLDS)
def test_image_k_is_the_same_bytes_whatever_the_count(world: ModuleType, tmp_path: Path) -> None:
    few = _bytes(_generated(world, tmp_path / "few", count=2))
    more = _bytes(_generated(world, tmp_path / "more", count=3))
    assert len(few) == 6 and len(more) == 9
    assert few.items() < more.items()


def test_soft_shadows_have_istds_layout(shadows: Path) -> None:
    names = {f"{name}.png" for name in ("1-1", "2-1", "3-1", "4-1", "4-2", "5-1")}
    for part in "ABC":
        assert {p.name for p in (shadows / "test" / f"test_{part}").iterdir()} == names
    sizes = {_read(p).shape for p in (shadows / "test/test_A").iterdir()}
    assert all(max(s) == SIZE for s in sizes) and len(sizes) > 1


def test_shadow_mask_is_where_more_than_half_of_the_shadows_depth_is_gone(shadows: Path) -> None:
    for path in (shadows / "test/test_A").iterdir():
        mask = cv2.imread(str(path).replace("test_A", "test_B"), cv2.IMREAD_GRAYSCALE)
        free = _read(Path(str(path).replace("test_A", "test_C")))
        assert set(np.unique(mask)) == {0, 255}
        lost = 1 - cv2.blur(_linear(_read(path)), (5, 5)).mean(-1) / cv2.blur(_linear(free), (5, 5)).mean(-1)
        inside = cv2.erode(mask, np.ones((7, 7))) > 0
        outside = cv2.dilate(mask, np.ones((7, 7))) == 0
        depth = np.percentile(lost[mask > 0], 95)
        assert (lost[inside] > 0.5 * depth).mean() > 0.98
        assert (lost[outside] < 0.5 * depth).mean() > 0.98


def test_two_views_of_a_scene_share_the_ground_and_not_the_shadow(shadows: Path) -> None:
    ground = [_linear(_read(shadows / "test/test_C" / f"4-{v}.png")) for v in (1, 2)]
    mask = [cv2.imread(str(shadows / "test/test_B" / f"4-{v}.png"), cv2.IMREAD_GRAYSCALE) for v in (1, 2)]
    assert np.corrcoef(ground[0].ravel(), ground[1].ravel())[0, 1] > 0.8
    assert (mask[0] != mask[1]).any()


def test_a_deeper_shadow_is_darker_and_keeps_its_mask(tmp_path: Path) -> None:
    faint, deep = (_generated(soft_shadows, tmp_path / str(c), count=1, contrast=c) for c in (0.2, 0.6))
    mask, same = (cv2.imread(str(r / "test/test_B/1-1.png"), cv2.IMREAD_GRAYSCALE) for r in (faint, deep))
    assert (mask == same).mean() > 0.95
    left = [
        _read(r / "test/test_A/1-1.png")[mask > 0].mean() / _read(r / "test/test_C/1-1.png")[mask > 0].mean()
        for r in (faint, deep)
    ]
    assert left[1] < left[0] - 0.1


def test_camouflage_has_cod10ks_layout(hidden: Path) -> None:
    stems = {folder: {p.stem for p in (hidden / "Test" / folder).iterdir()} for folder in ("Image", "GT_Object")}
    assert stems["Image"] == stems["GT_Object"] == {p.stem for p in (hidden / "Test/GT_Instance").iterdir()}
    assert {p.suffix for p in (hidden / "Test/Image").iterdir()} == {".jpg"}
    for stem in stems["Image"]:
        fields = stem.split("-")
        assert len(fields) == 7 and fields[:4] == ["COD10K", "CAM", "1", "Synthetic"] and fields[4].isdigit()
    assert {int(s.split("-")[-1]) for s in stems["Image"]} == set(range(1, 7))


def test_instances_are_one_to_three_colours_whose_union_is_the_object(hidden: Path) -> None:
    for path in (hidden / "Test/GT_Object").iterdir():
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        coloured = _read(Path(str(path).replace("GT_Object", "GT_Instance")))
        colours = np.unique(coloured[mask > 0], axis=0)
        assert set(np.unique(mask)) == {0, 255} and 1 <= len(colours) <= 3
        assert ((coloured > 0).any(-1) == (mask > 0)).all()
        assert all(_parts((coloured == c).all(-1)) == 1 for c in colours)


def _tone_gaps(root: Path) -> list[float]:
    """Per picture: the largest gap between the objects' mean colour and that of the ground around them, of 255."""
    gaps = []
    for path in sorted((root / "Test/Image").iterdir()):
        mask = cv2.imread(str(root / "Test/GT_Object" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
        ring = (cv2.dilate(mask, np.ones((41, 41))) > 0) & (cv2.dilate(mask, np.ones((7, 7))) == 0)
        image = _read(path).astype(float)
        gaps.append(float(np.abs(image[mask > 0].mean(axis=0) - image[ring].mean(axis=0)).max()))
    return gaps


def test_a_hidden_objects_mean_colour_is_close_to_its_grounds(hidden: Path) -> None:
    gaps = _tone_gaps(hidden)
    assert max(gaps) < 50 and np.median(gaps) < 20


def test_contrast_is_what_gives_a_hidden_object_away(tmp_path: Path) -> None:
    faint, plain = (_generated(camouflage, tmp_path / str(c), count=4, contrast=c) for c in (0.1, 1.8))
    assert np.mean(_tone_gaps(faint)) < 0.7 * np.mean(_tone_gaps(plain))
