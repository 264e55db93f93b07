"""Volumes as slices: orientation, normalisation (App. B, "CT scan processing"), and what cannot be used."""

import weakref
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, ornt_transform
from raw_sets import nifti_file as save

from uncertsam.data.raw.adapters._volumes import Volume, VolumeParams, cut, read_slices, read_volume, scale_of
from uncertsam.data.raw.images import Unusable
from uncertsam.data.raw.pairs import Pair

REAL = Path(__file__).parents[3] / ".." / "shared" / "data" / "real" / "medical_ct_spleen" / "raw"
needs_volumes = pytest.mark.skipif(not REAL.is_dir(), reason="the real volumes are not on this machine")
Voxels = np.ndarray
SHAPE = (12, 10, 6)


def body(seed: int = 0) -> Voxels:
    voxels = np.full(SHAPE, -1000.0, np.float32)
    voxels[2:10, 2:8] = np.random.default_rng(seed).normal(40, 25, (8, 6, 6)).astype(np.float32)
    return voxels


def organ() -> Voxels:
    labels = np.zeros(SHAPE, np.uint8)
    labels[3:6, 3:6, 1:4] = 1
    labels[7:9, 3:6, 4] = 7
    return labels


def read(folder: Path, voxels: Voxels, labels: Voxels | None = None, **options: Any) -> Volume:
    image = save(folder / "image.nii.gz", voxels)
    return read_volume(image, save(folder / "label.nii.gz", organ() if labels is None else labels), params(**options))


def params(**options: Any) -> VolumeParams:
    return VolumeParams.model_validate(options)


def made(voxels: Voxels, labels: Voxels | None = None) -> Volume:
    return Volume(voxels.astype(np.float32), (organ() if labels is None else labels).astype(np.uint16), 0)


def grey(volume: Volume, **options: Any) -> Voxels:
    """The whole volume in 8 bits, slice by slice."""
    scale = scale_of(volume, params(**options))
    return np.stack([scale(volume.voxels[:, :, k]) for k in range(SHAPE[2])], axis=2)


# --- orientation


@pytest.mark.parametrize("codes", ["RAS", "LPS", "LAS", "PIR", "SAR", "ILP"])
def test_a_volume_is_the_same_however_it_was_stored(tmp_path: Path, codes: str) -> None:
    turn = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(codes))
    back = inv_ornt_aff(turn, SHAPE)
    paths = [
        save(tmp_path / f"{name}.nii", nibabel.apply_orientation(values, turn), back)
        for name, values in {"image": body(), "label": organ()}.items()
    ]
    volume = read_volume(paths[0], paths[1], params())
    assert np.array_equal(volume.voxels, body()) and np.array_equal(volume.labels, organ())
    turned_image = read_volume(paths[0], save(tmp_path / "ras.nii", organ()), params())
    assert np.array_equal(turned_image.labels, organ())


def test_slices_are_seen_as_radiologists_see_them() -> None:
    right, anterior, superior = (np.moveaxis(np.broadcast_to(np.arange(5), (5, 5, 5)), 2, i) for i in range(3))
    axes = {"axial": (right, anterior), "coronal": (right, superior), "sagittal": (anterior, superior)}
    for axis, (left, up) in axes.items():
        across, down = cut(left, axis, 2), cut(up, axis, 2)
        assert across[0, 0] > across[0, -1] and down[0, 0] > down[-1, 0]


@pytest.mark.parametrize(
    ("axis", "number", "places"),
    [("sagittal", 0, [3, 4, 5, 7, 8]), ("coronal", 1, [3, 4, 5]), ("axial", 2, [1, 2, 3, 4])],
)
def test_every_axis_keeps_exactly_the_slices_with_a_label(axis: Any, number: int, places: list[int]) -> None:
    volume = made(body())
    assert volume.slices(axis, None) == places
    assert [at for at in range(SHAPE[number]) if cut(volume.labels, axis, at).any()] == places


def test_only_chosen_labels_count() -> None:
    assert made(body()).slices("axial", [7]) == [4] and made(body()).slices("axial", [2]) == []


# --- normalisation


@pytest.mark.parametrize("order", ["zscore_clip", "clip_zscore"])
@pytest.mark.parametrize("foreground", ["intensity", "label", "all"])
def test_it_is_the_formula_of_the_paper(order: str, foreground: str) -> None:
    volume = made(body())
    x = volume.voxels.astype(np.float64)
    chosen = {"intensity": x > x.mean(), "label": volume.labels > 0, "all": x > -np.inf}[foreground]
    if order == "zscore_clip":
        z = (x - x[chosen].mean()) / x[chosen].std()
        z = z.clip(*np.percentile(z[chosen], [0.05, 99.95]))
    else:
        clipped = x.clip(*np.percentile(x[chosen], [0.05, 99.95]))
        z = (clipped - clipped[chosen].mean()) / clipped[chosen].std()
    expected = (z - z.min()) / (z.max() - z.min()) * 255
    assert np.abs(grey(volume, order=order, foreground=foreground) - expected).max() <= 0.501
    window = ((z + 2) / 4 * 255).clip(0, 255)
    assert np.abs(grey(volume, order=order, foreground=foreground, window=(-2, 2)) - window).max() <= 0.51


def test_the_order_of_the_steps_shows_only_with_a_window() -> None:
    volume = made(body() + (np.random.default_rng(1).random(SHAPE) > 0.97) * 5000)
    first, second = ({"order": order, "clip": (5, 90)} for order in ("zscore_clip", "clip_zscore"))
    assert np.array_equal(grey(volume, **first), grey(volume, **second))
    assert not np.array_equal(grey(volume, **first, window=(-1, 1)), grey(volume, **second, window=(-1, 1)))


@pytest.mark.parametrize("foreground", ["intensity", "all"])
def test_labels_do_not_drive_the_image_unless_told(foreground: str) -> None:
    moved = np.roll(organ(), 2, axis=1)
    one, two = made(body()), made(body(), moved)
    assert np.array_equal(grey(one, foreground=foreground), grey(two, foreground=foreground))
    assert not np.array_equal(grey(one, foreground="label"), grey(two, foreground="label"))
    assert any("leaks the label" in line for line in params(foreground="label").sentences())
    assert not any("leaks" in line for line in params(foreground=foreground).sentences())


@pytest.mark.parametrize(("gain", "shift"), [(2.0, 0.0), (0.5, 1000.0)])
def test_the_unit_of_the_voxels_does_not_matter(gain: float, shift: float) -> None:
    difference = grey(made(body())).astype(int) - grey(made(body() * gain + shift))
    assert np.abs(difference).max() <= 1


def test_a_threshold_names_the_body() -> None:
    volume = made(body())
    assert np.array_equal(grey(volume, threshold=-999), grey(volume))  # here, the mean tells air from body as well
    with pytest.raises(Unusable, match="no foreground"):
        scale_of(volume, params(threshold=1e6))


@pytest.mark.parametrize("value", [0, 1])
def test_a_flat_volume_is_refused(value: int) -> None:
    for foreground, reason in (("intensity", "no foreground"), ("all", "all equal")):
        with pytest.raises(Unusable, match=reason):
            scale_of(made(np.full(SHAPE, value)), params(foreground=foreground))


# --- what cannot be used, or only after a change


def test_voxels_that_are_no_numbers_become_the_minimum_and_are_counted(tmp_path: Path) -> None:
    voxels = body()
    voxels[0, 0, :3] = [np.nan, np.inf, -np.inf]
    volume = read(tmp_path, voxels)
    assert volume.replaced == 3 and np.array_equal(volume.voxels, np.where(np.isfinite(voxels), voxels, -1000))
    with pytest.raises(Unusable, match="3 of its 720 voxels are NaN or infinite, more than 0.10%"):
        read(tmp_path, voxels, most_nan=0.001)
    with pytest.raises(Unusable, match="720 of its 720"):
        read(tmp_path, voxels * np.nan, most_nan=0.99)
    pair = Pair("p", tmp_path / "image.nii.gz", tmp_path / "label.nii.gz")
    save(pair.image, voxels)
    notes = read_slices(tmp_path, [pair], params(), "unknown", {})[2]
    assert notes == ["3 voxels of 1 volume, NaN or infinite, became the volume's minimum."]


def test_a_fourth_axis_needs_a_choice(tmp_path: Path) -> None:
    many = np.stack([body(seed) for seed in range(3)], axis=-1)
    assert np.array_equal(read(tmp_path, many, volume=2).voxels, body(2))
    assert np.array_equal(read(tmp_path, many[..., :1], organ()[..., None]).voxels, body(0))
    with pytest.raises(Unusable, match="holds 3 volumes: choose one with `volume`"):
        read(tmp_path, many)
    with pytest.raises(Unusable, match="holds 3 volumes, so there is no volume 3"):
        read(tmp_path, many, volume=3)
    with pytest.raises(Unusable, match="not three axes"):
        read(tmp_path, many[..., None])
    with pytest.raises(Unusable, match="label.nii.gz is 4-D"):
        read(tmp_path, many, np.stack([organ()] * 3, axis=-1), volume=1)


def test_a_label_of_another_size_or_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="its label is 12x10x5 voxels large, the volume 12x10x6"):
        read(tmp_path, body(), organ()[..., 1:])
    image = save(tmp_path / "a.nii", body())
    moved = save(tmp_path / "b.nii", organ(), np.diag([-1.0, 1.0, 1.0, 1.0]))
    with pytest.raises(Unusable, match="match_affine: false"):
        read_volume(image, moved, params())
    assert np.array_equal(read_volume(image, moved, params(match_affine=False)).labels, organ())


@pytest.mark.parametrize("value", [0.5, -1.0, 65536.0, np.nan])
def test_labels_are_whole_numbers(tmp_path: Path, value: float) -> None:
    labels = organ().astype(np.float32)
    assert np.array_equal(read(tmp_path, body(), labels).labels, organ())
    labels[0, 0, 0] = value
    with pytest.raises(Unusable, match="label.nii.gz holds values that are no labels"):
        read(tmp_path, body(), labels)


@pytest.mark.parametrize("spoil", ["text", "empty", "cut", "complex"])
def test_a_file_that_is_no_volume_is_refused_without_a_path(tmp_path: Path, spoil: str) -> None:
    label, image = save(tmp_path / "label.nii.gz", organ()), save(tmp_path / "image.nii.gz", body())
    content = image.read_bytes()
    if spoil == "complex":
        save(image, body().astype(np.complex64))
    else:
        image.write_bytes({"text": b"no volume", "empty": b"", "cut": content[: len(content) // 2]}[spoil])
    with pytest.raises(Unusable, match="image.nii.gz (cannot be read|holds no plain numbers)") as caught:
        read_volume(image, label, params())
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [{"clip": (50, 50)}, {"clip": (-1, 99)}, {"window": (2, -2)}, {"window": (0, float("inf"))}, {"labels": []},
     {"axis": "z"}, {"most_nan": 1}],
)  # fmt: skip
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        params(**options)


# --- reading many


def test_no_more_than_one_volume_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[weakref.ref[Volume]] = []

    def watched(*args: Any) -> Volume:
        assert not any(ref() for ref in seen), "the former volume is still there"
        volume = read_volume(*args)
        seen.append(weakref.ref(volume))
        return volume

    monkeypatch.setattr("uncertsam.data.raw.adapters._volumes.read_volume", watched)
    pairs = []
    for name in "abc":
        image = save(tmp_path / f"{name}.nii.gz", body(ord(name)))
        pairs.append(Pair(name, image, save(tmp_path / f"{name}_label.nii.gz", organ())))
    images, _, _ = read_slices(tmp_path, pairs, params(), "unknown", {})
    assert len(seen) == 3 and not any(ref() for ref in seen)
    for image in images:
        image.photo()
        image.read_labels()
    assert len(seen) == 6 and len(images) == 12


def test_a_slice_and_its_masks_lie_on_each_other(tmp_path: Path) -> None:
    voxels = np.where(organ() == 1, 500, body())
    pair = Pair("p", save(tmp_path / "p.nii.gz", voxels), save(tmp_path / "l.nii.gz", organ()))
    for axis in ("axial", "coronal", "sagittal"):
        images, skipped, notes = read_slices(tmp_path, [pair], params(axis=axis, labels=[1]), "human", {1: "organ"})
        assert images and not skipped and not notes
        for image in images:
            labels, pixels = image.read_labels(), image.photo().pixels
            assert [label for label, _ in labels.masks] == ["organ"]
            assert np.array_equal(pixels[..., 0] == 255, labels.masks[0][1])


@needs_volumes
def test_real_volumes_become_slices() -> None:
    pair = Pair("ts", REAL / "ts_example_ct_sm.nii.gz", REAL / "ts_example_seg.nii.gz")
    images, skipped, _ = read_slices(REAL, [pair], params(labels=[5]), "model", {5: "liver"})
    assert images and not skipped
    middle = images[len(images) // 2]
    pixels, mask = middle.photo().pixels[..., 0], middle.read_labels().masks[0][1]
    assert pixels.shape == mask.shape == (101, 122)
    assert mask[:, : mask.shape[1] // 2].sum() > 0.8 * mask.sum()  # the liver is on the patient's right: on our left
    assert pixels[0, 0] == 0 and 60 < pixels[mask].mean() < 200
