"""The authors' raw layouts in small."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from PIL import Image
from pycocotools import mask as masktools

from uncertsam.base.files import write_json
from uncertsam.data.format import Split, read_split
from uncertsam.data.raw.acquire import local
from uncertsam.data.raw.adapters.base import Labels
from uncertsam.data.raw.preprocess import preprocess
from uncertsam.data.splits import Reserved

Pixels = np.ndarray
HEIGHT, WIDTH = 60, 80
YELLOW, RED, BLUE, WHITE = (255, 255, 0), (255, 0, 0), (0, 0, 255), (255, 255, 255)
TWO = {"min_area": 50}  # pixels, instead of the 1,000 of App. B


def save(path: Path, pixels: Pixels, orientation: int = 1, **options: Any) -> Path:
    """A picture file with EXIF's tag of how it is to be turned."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, **({"exif": exif} if orientation != 1 else {}), **options)
    return path


def photo(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def squares(value: int = 255) -> Pixels:
    """Two squares far from each other (100 and 144 pixels) and a speck of 4."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[5:15, 5:15], mask[40:52, 60:72], mask[50:52, 5:7] = value, value, value
    return mask


def coloured(**boxes: tuple[tuple[int, int, int], tuple[slice, slice]]) -> Pixels:
    mask = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for colour, at in boxes.values():
        mask[at] = colour
    return mask


def found(labels: Labels) -> dict[str, int]:
    return {label: int(mask.sum()) for label, mask in labels.masks}


def benchmark(root: Path, adapter: str = "folder", **options: Any) -> Split:
    """The raw set as one test split of the benchmark."""
    place = root.parent / f"{root.name} as benchmark"
    local(root, place / "raw")
    preprocess(place / "raw", place / "out", "toy", adapter, options, {"test": 1.0}, Reserved(), "s", 0, progress=False)
    return read_split(place / "out" / "test")


# --- one tiny raw set per layout


def big(root: Path) -> Path:
    for i, name in enumerate(("1 dog", "2_cat")):
        save(root / f"{name}_im.jpg", photo(i))
        save(root / f"{name}_gt.png", squares())
        save(root / f"{name}_seg.png", squares())
    return root


def coift(root: Path) -> Path:
    for i in range(2):
        save(root / "images" / f"{i}.jpg", photo(i))
        save(root / "masks" / f"{i}.png", squares())
    return root


def sbu(root: Path) -> Path:
    for i, folder in enumerate(("SBU-Test", "SBUTrain4KRecoveredSmall")):
        save(root / folder / "ShadowImages" / f"lssd{i}.jpg", photo(i))
        save(root / folder / "ShadowMasks" / f"lssd{i}.png", squares())
    return root


def square(size: int = 10) -> Pixels:
    mask: Pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[5 : 5 + size, 5 : 5 + size] = 255
    return mask


def istd(root: Path) -> Path:
    for name, size in {"7-1": 10, "7-2": 10, "12-1": 3}.items():
        save(root / "test" / "test_A" / f"{name}.png", photo())
        save(root / "test" / "test_B" / f"{name}.png", square(size))
        save(root / "test" / "test_C" / f"{name}.png", photo())
    return root


def cod10k(root: Path) -> Path:
    colours = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    colours[:10, :10], colours[20:30, :10], colours[35, 40] = (255, 0, 0), (0, 255, 0), (0, 255, 0)
    for name, mask in {"CAM-1": colours, "CAM-2": None, "NonCAM-3": None, "NonCAM-4": colours * 0}.items():
        save(root / "Test" / "Image" / f"COD10K-{name}.jpg", photo())
        if mask is not None:
            save(root / "Test" / "GT_Instance" / f"COD10K-{name}.png", mask)
    save(root / "Test" / "GT_Object" / "COD10K-CAM-1.png", square())
    save(root / "Test" / "GT_Object" / "COD10K-CAM-2.png", square())
    return root


FLARE = coloured(
    glare=(YELLOW, np.s_[5:25, 5:25]),
    source=(BLUE, np.s_[10:20, 10:20]),
    one=(RED, np.s_[5:15, 50:60]),
    two=(RED, np.s_[40:50, 50:60]),
    odd=((0, 255, 0), np.s_[0:1, 0:7]),
)


def flare7k(root: Path) -> Path:
    for kind in ("real", "synthetic"):
        save(root / "test_data" / kind / "input" / "input_000001.png", photo())
        save(root / "test_data" / kind / "gt" / "gt_000001.png", photo())
        save(root / "test_data" / kind / "mask" / "mask_000001.png", FLARE)
    return root


GLASS = coloured(thing=(RED, np.s_[5:15, 5:15]), stuff=(WHITE, np.s_[5:15, 15:35]), other=(RED, np.s_[40:50, 60:70]))


def trans10k(root: Path) -> Path:
    folders = ["train", *(f"{split}/{level}" for split in ("validation", "test") for level in ("easy", "hard"))]
    for i, folder in enumerate(folders):
        save(root / folder / "images" / "7.jpg", photo(i))
        save(root / folder / "masks" / "7_mask.png", GLASS)
    return root


TRIANGLE = [[10.0, 10.0, 30.0, 10.0, 10.0, 30.0]]


def coco_json(**changes: Any) -> dict[str, Any]:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[20:30, 40:50] = True
    packed: Any = masktools.encode(np.asfortranarray(mask.astype(np.uint8)))
    text = {"size": [HEIGHT, WIDTH], "counts": packed["counts"].decode()}
    runs = {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * 40 + 20, *[10, 50] * 9, 10, HEIGHT * 30 + 30]}
    shapes = {1: TRIANGLE, 2: text, 3: runs, 4: runs}
    value: dict[str, Any] = {
        "info": {"year": 2017},
        "images": [{"id": i, "file_name": f"{i:04d}.jpg", "height": HEIGHT, "width": WIDTH} for i in (10, 11, 12)],
        "annotations": [
            {"id": i, "image_id": 10, "category_id": 5, "iscrowd": int(i == 4), "segmentation": shape}
            for i, shape in shapes.items()
        ],
        "categories": [{"id": 5, "name": "hot dog"}],
    }
    value["annotations"].append({"id": 5, "image_id": 11, "category_id": 6, "segmentation": TRIANGLE, "iscrowd": 0})
    return value | changes


def coco(root: Path, value: dict[str, Any] | None = None) -> Path:
    for i in (10, 11):
        save(root / "val2017" / f"{i:04d}.jpg", photo(i))
    write_json(root / "annotations" / "instances_val2017.json", value or coco_json())
    return root


def volume(seed: int = 0) -> tuple[Pixels, Pixels]:
    """A bright body in air, in it an organ (1) on 3 slices and a spot (2) on one; axes right, anterior, superior."""
    rng = np.random.default_rng(seed)
    voxels = np.full((24, 20, 8), -1000.0)
    voxels[3:21, 3:17] = rng.normal(40, 30, (18, 14, 8))
    labels = np.zeros(voxels.shape, np.uint8)
    labels[5:12, 6:11, 2:5] = 1
    labels[13:16, 6:9, 3] = 2
    return np.rint(voxels).astype(np.int16), labels


def nifti_file(path: Path, values: Pixels, affine: Pixels | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4) if affine is None else affine), path)
    return path


def msd(root: Path) -> Path:
    task = root / "Task09_Spleen"
    for number in (10, 2):
        voxels, labels = volume(number)
        nifti_file(task / "imagesTr" / f"spleen_{number}.nii.gz", voxels)
        nifti_file(task / "labelsTr" / f"spleen_{number}.nii.gz", labels * (labels == 1))
    (task / "imagesTr" / "._spleen_10.nii.gz").write_bytes(b"what macOS leaves in archives")
    cases = [{k: f"./{f}/spleen_{n}.nii.gz" for k, f in MSD_FOLDERS.items()} for n in (10, 2, 99)]
    labels = {"0": "background", "1": "spleen"}
    write_json(task / "dataset.json", {"name": "Spleen", "modality": {"0": "CT"}, "labels": labels, "training": cases})
    return root


MSD_FOLDERS = {"image": "imagesTr", "label": "labelsTr"}


def nifti(root: Path) -> Path:
    voxels, labels = volume()
    nifti_file(root / "images" / "patient 1.nii.gz", voxels)
    nifti_file(root / "labels" / "patient 1.nii.gz", labels)
    return root
