"""NIfTI files, of which each fault is one sentence that names the file."""

import gzip
import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.orientations import OrientationError
from nibabel.spatialimages import HeaderDataError

from uncertsam.data.raw.adapters.base import plural
from uncertsam.data.raw.images import Unusable

UNFIT = (ImageFileError, HeaderDataError, OrientationError)
BROKEN = (OSError, EOFError, ValueError, OverflowError, MemoryError, zlib.error, *UNFIT)


def open_nifti(path: Path, at: int | None) -> Any:
    """A NIfTI image of three axes; `at` chooses from a fourth. (Any: nibabel's own types are not precise.)

    Raises Unusable where the file is broken, cut off or of another kind.
    """
    with _readable(path):
        image: Any = nibabel.load(path)
        if isinstance(image, nibabel.Nifti1Image):
            _check_whole(path, image)
    if image.get_data_dtype().kind not in "iuf":
        raise Unusable(f"{path.name} holds no plain numbers ({image.get_data_dtype()})")
    if len(image.shape) not in (3, 4) or 0 in image.shape:
        raise Unusable(f"{path.name} has the shape {size_of(image)}, not three axes")
    volumes = image.shape[3] if len(image.shape) == 4 else 1
    if at is None and volumes > 1:
        raise Unusable(f"{path.name} is 4-D and holds {volumes} volumes: choose one with `volume`")
    if (at or 0) >= volumes:
        raise Unusable(f"{path.name} holds {plural(volumes, 'volume')}, so there is no volume {at}")
    with _readable(path):  # to choose is to read
        return image.slicer[..., at or 0] if len(image.shape) == 4 else image


def turned(image: Any, path: Path) -> Any:
    """The image with axes right, anterior, superior, as near as they come. Raises Unusable as the others do."""
    with _readable(path):
        return nibabel.as_closest_canonical(image)  # type: ignore[no-untyped-call]


def values_of(image: Any, path: Path) -> np.ndarray:
    """Its voxels. Raises Unusable where they cannot be read."""
    with _readable(path):
        return np.asanyarray(image.dataobj)


def _check_whole(path: Path, image: Any) -> None:
    """Raise ValueError where a file is not what its header says, and as gzip does where a .gz is cut or altered.

    nibabel reads no further than it has to, and so not to the checksum.
    """
    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
        size = int.from_bytes(file.read(4), "big" if image.header.endianness == ">" else "little")
        length = file.seek(0, os.SEEK_END)  # of a .gz: by reading all of it
    if size != image.header.sizeof_hdr:
        raise ValueError(f"its header gives its own size as {size}, not {image.header.sizeof_hdr}")
    if length < (needed := image.dataobj.offset + math.prod(image.shape) * image.get_data_dtype().itemsize):
        raise ValueError(f"it has {length} bytes of {needed}")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Raises Unusable in place of whatever nibabel raises on a file that is cut off, or whose header is wrong."""
    try:
        yield
    except BROKEN as error:
        why = str(error).replace(str(path), path.name) or type(error).__name__
        raise Unusable(f"{path.name} cannot be read as a volume ({why})") from None


def size_of(image: Any) -> str:
    """Such as 512x512x90."""
    return "x".join(map(str, image.shape))
