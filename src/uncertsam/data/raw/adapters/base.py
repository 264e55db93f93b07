"""What an adapter is: raw files of one layout in, images with named binary masks out."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import pydantic

from uncertsam.base.errors import UserError, checked_options
from uncertsam.data.format import Quality
from uncertsam.data.raw import adapters
from uncertsam.data.raw.decoding import upright
from uncertsam.data.raw.images import MOST_MEGAPIXELS, Photo, Source, read_photo, too_large
from uncertsam.data.raw.masks import Mask, area_of, connected_components

Kind = Literal["binary", "indexed", "colour", "instances"]
Parts = list[tuple[str, Mask]]


@dataclass(frozen=True)
class Labels:
    """The masks of one image with their labels, its void pixels, and what was left out and why."""

    shape: tuple[int, int]  # H, W of the mask file
    masks: Parts
    ignore: Mask | None = None
    skipped: list[str] = field(default_factory=list)

    def turned(self, orientation: int) -> "Labels":
        """Turned as EXIF's orientation asks."""
        masks = [(label, upright(mask, orientation)) for label, mask in self.masks]
        ignore = None if self.ignore is None else upright(self.ignore, orientation)
        shape = self.shape[::-1] if orientation >= 5 else self.shape
        return Labels(shape, masks, ignore, self.skipped)


@dataclass(frozen=True)
class RawImage:
    """One image of a raw set. Its masks are read when asked for, and `read_labels` may raise Unusable.

    `name` is its path below the raw root (with /); images of one `group` (a scene, a video, a patient) stay together.
    `picture` is set where `path` is no image file, such as for one slice of a volume; it may raise Unusable too. `mask`
    is the mask's image file or page, where there is one: its tags tell how it lies on the image.
    """

    name: str
    path: Path
    read_labels: Callable[[], Labels]
    group: str
    quality: Quality
    picture: Callable[[], Photo] | None = None
    mask: Source | None = None

    def photo(self) -> Photo:
        """The image as RGB. Raises Unusable where its file is broken."""
        return self.picture() if self.picture else read_photo(self.path)


@dataclass(frozen=True)
class Skipped:
    """A file that is left out, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Reading:
    """A raw set: `choices` are plain sentences for the report on what was recognised and which rules apply."""

    images: list[RawImage]
    kind: Kind
    licence: str
    choices: list[str]
    skipped: list[Skipped] = field(default_factory=list)


class Adapter(Protocol):
    """What a module of `uncertsam.data.raw.adapters` exposes."""

    Params: type[pydantic.BaseModel]

    def read(self, root: Path, params: Any) -> Reading:
        """List the images of the raw set below `root`. Raises UserError where the layout is another one."""


class SizeParams(pydantic.BaseModel, extra="forbid"):
    """max_megapixels: larger images are left out and listed. To measure one mask takes some 80 bytes per pixel."""

    max_megapixels: float = pydantic.Field(64.0, gt=0, le=MOST_MEGAPIXELS)


class ComponentParams(SizeParams):
    """The connected component analysis of App. B, with its defaults."""

    close_iterations: int = pydantic.Field(2, ge=0)
    close_kernel: Literal[3, 5, 7, 9] = 3
    connectivity: Literal[4, 8] = 8
    min_area: int = pydantic.Field(1000, ge=0)  # pixels

    def parts(self, label: str, mask: Mask) -> tuple[Parts, list[str]]:
        """The components as label/1, label/2, ... and what was too small."""
        parts = connected_components(mask, self.close_iterations, self.close_kernel, self.min_area, self.connectivity)
        lost = area_of(mask) - sum(map(area_of, parts))
        reason = f"{label}: its components of at most {self.min_area} pixels, {plural(lost, 'pixel')} in all"
        return [(f"{label}/{i}", part) for i, part in enumerate(parts, 1)], [reason] if lost else []

    def sentence(self) -> str:
        """The rule, for the report."""
        return (
            "Masks are separated into connected components as in App. B of the paper: closed with a "
            f"{self.close_kernel}x{self.close_kernel} square ({self.close_iterations} dilations, as many erosions), "
            f"labelled with {self.connectivity}-connectivity, cut back to the original mask, and kept if larger than "
            f"{self.min_area} pixels after the cut."
        )


def available() -> list[str]:
    """The names of the adapters that exist, sorted."""
    names = (module.name for module in pkgutil.iter_modules(adapters.__path__))
    return sorted(name for name in names if name != "base" and not name.startswith("_"))


def read_raw(adapter: str, root: Path, options: dict[str, Any]) -> Reading:
    """Read a raw set with the adapter of that name; images that are too large are left out.

    Raises UserError on an unknown adapter or a wrong option.
    """
    if adapter not in available():
        raise UserError(f"There is no adapter '{adapter}'.", f"Those that exist: {', '.join(available())}.")
    module = cast(Adapter, importlib.import_module(f"{adapters.__name__}.{adapter}"))
    params = checked_options(module.Params, options, f"Option '{{}}' of adapter '{adapter}'", "It")
    reading = module.read(root, params)
    return _without_large(reading, params.max_megapixels) if isinstance(params, SizeParams) else reading


def _without_large(reading: Reading, most: float) -> Reading:
    reasons = {image.name: too_large(image.path, most) for image in reading.images if image.picture is None}
    images = [image for image in reading.images if not reasons.get(image.name)]
    return replace(reading, images=images, skipped=reading.skipped + [Skipped(n, r) for n, r in reasons.items() if r])


def need_folder(folder: Path, layout: str) -> Path:
    """`folder`, or a UserError that says which layout is meant."""
    if not folder.is_dir():
        raise UserError(f"{folder} is missing.", f"The expected layout is {layout}.")
    return folder


def plural(number: int, thing: str) -> str:
    """Such as "1 image", "2 images"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
