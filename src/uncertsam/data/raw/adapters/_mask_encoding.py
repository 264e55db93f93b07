"""How a folder's masks are coded (binary, indexed, colour): recognised over the whole set, never guessed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt
from tqdm import tqdm

from uncertsam.base.errors import UserError
from uncertsam.data.raw.images import Source, Unusable, load
from uncertsam.data.raw.masks import Colour, Mask, codes_of, distinct, pack, read_codes, read_colours, split_indices

Code = int | Colour
CodingKind = Literal["binary", "indexed", "colour"]
MANY_COLOURS = 256  # in one mask: more is a photograph, or lossy


@dataclass(frozen=True)
class _SeenCodes:
    """What a set of masks holds: its grey values, the most colours in one mask (0: all are grey), how it is saved."""

    values: frozenset[int]
    colours: int
    lossy: bool
    palette: bool

    @property
    def white(self) -> int:
        """The largest value that masks of this depth can hold."""
        return 255 if max(self.values, default=0) <= 255 else 65535

    def __str__(self) -> str:
        parts = [f"up to {self.colours} colours in one mask"] if self.colours else []
        if self.values:
            parts.append(f"{len(self.values)} grey values between {min(self.values)} and {max(self.values)}")
        return " and ".join(parts) + (", saved as JPEG" if self.lossy else "")


@dataclass(frozen=True)
class Coding:
    """How to take one mask file apart; codes are grey values, or 0xRRGGBB for colours.

    `threshold` is set for binary masks with soft or lossy edges only.
    """

    kind: CodingKind
    background: int | None
    ignore: tuple[int, ...]
    threshold: int | None = None

    def decode(self, source: Source) -> tuple[tuple[int, int], dict[str, Mask], Mask | None]:
        """(H, W), the masks by label, and the void pixels if any. Raises Unusable on a broken file."""
        codes = self._codes(source)
        void = np.isin(codes, self.ignore)
        if self.kind == "binary":
            found = {"object": self._foreground(codes) & ~void}
        else:
            split = split_indices(codes, {self.background, *self.ignore})
            found = {f"#{v:06x}" if self.kind == "colour" else str(v): mask for v, mask in split.items()}
        return (codes.shape[0], codes.shape[1]), found, void if void.any() else None

    def _codes(self, source: Source) -> UInt[np.ndarray, "h w"]:
        if self.kind == "colour":
            return pack(read_colours(source))
        codes = read_codes(source)
        if codes.ndim == 3 and self.threshold is None:
            where = source.parent / source.name
            raise UserError(f"{where} has colours, but the masks are read as {self.kind}.", "Set `kind: colour`.")
        return np.asarray(codes.max(axis=2)) if codes.ndim == 3 else codes

    def _foreground(self, codes: UInt[np.ndarray, "h w"]) -> Mask:
        if self.threshold is None:
            return np.asarray(codes != self.background)
        bright = codes > self.threshold
        return ~bright if (self.background or 0) > self.threshold else bright

    def sentences(self, seen: _SeenCodes | None, told: bool) -> list[str]:
        """What was recognised, and what it means, for the report."""
        verb = "are read as" if told else "were recognised as"
        shown = f" ({seen})" if seen else ""
        left = "" if self.background is None else f" except {self._shown(self.background)}, the background"
        if self.kind != "binary":
            means = f"every {'colour' if self.kind == 'colour' else 'value'} is a mask of its own{left}"
        elif self.threshold is None:
            means = f"every value except {self.background} is the object"
        else:
            side = "up to" if (self.background or 0) > self.threshold else "above"
            means = f"every value {side} {self.threshold} is the object"
        lines = [f"The masks {verb} {self.kind}{shown}: {means}."]
        if seen and seen.palette and self.kind != "colour":
            lines.append("Of masks with a palette the index counts, not the colour.")
        if self.ignore:
            lines.append(f"Void pixels ({', '.join(map(self._shown, self.ignore))}) are in no mask and in no metric.")
        return lines

    def _shown(self, code: int) -> str:
        return f"#{code:06x}" if self.kind == "colour" else str(code)


def recognise(
    masks: Sequence[Source], kind: CodingKind | Literal["auto"], background: Code | None, ignore: Sequence[Code]
) -> tuple[Coding, list[str]]:
    """The coding of a set of mask files, and what was recognised in plain sentences.

    Binary: the background and at most one more value over the whole set; colour: three channels that differ; indexed:
    all else. Raises UserError where that cannot be told: JPEG, very many colours, or white beside other values.
    """
    seen = _scan(masks) if kind in ("auto", "binary") else None
    told = kind != "auto"
    if seen is not None and kind == "auto":
        kind = _kind(seen, background, ignore, masks[0].parent)
    assert kind != "auto"
    back = None if background is None else _packed(background, kind)
    void = tuple(_packed(code, kind) for code in ignore)
    threshold = None
    if kind == "binary" and seen is not None and not _two_valued(seen, background, ignore):
        threshold = _middle(seen, masks[0].parent)
    coding = Coding(kind, back, void, threshold)
    return coding, coding.sentences(seen, told)


def _scan(masks: Iterable[Source]) -> _SeenCodes:
    """Look at every mask once; broken files are passed over (they are listed when they are read)."""
    values: set[int] = set()
    colours, lossy, palette = 0, False, False
    for source in tqdm(masks, desc="recognising the masks", disable=None, leave=False):
        try:
            found = load(source)
            codes = codes_of(found)
        except Unusable:
            continue
        if found.image is not None:
            lossy, palette = lossy or found.image.format == "JPEG", palette or found.image.mode == "P"
        if codes.ndim == 3:
            colours = max(colours, len(distinct(pack(codes))))
        else:
            values.update(distinct(codes))
    return _SeenCodes(frozenset(values), colours, lossy, palette)


def _two_valued(seen: _SeenCodes, background: Code | None, ignore: Sequence[Code]) -> bool:
    values = seen.values - {code for code in ignore if isinstance(code, int)}
    return not seen.colours and isinstance(background, int) and background in values and len(values) <= 2


def _kind(seen: _SeenCodes, background: Code | None, ignore: Sequence[Code], folder: Path) -> CodingKind:
    if _two_valued(seen, background, ignore):
        return "binary"
    if 0 < seen.colours <= MANY_COLOURS and not seen.lossy:
        return "colour"
    values = seen.values - {code for code in ignore if isinstance(code, int)}
    # white beside greys is the edge of a soft binary mask, a void label, or a label: three different results
    if not seen.colours and not seen.lossy and not (len(values) > 2 and seen.white in values):
        return "indexed"
    raise UserError(
        f"The masks in {folder} cannot be told apart: they have {seen}.",
        f"In this dataset's options set `kind: binary` if they are soft-edged or lossy (cut at {seen.white // 2}), "
        f"`ignore: [{seen.white}]` if white marks pixels without a label, or `kind: indexed` or `kind: colour` if "
        "every value is a mask of its own.",
    )


def _middle(seen: _SeenCodes, folder: Path) -> int:
    middle = seen.white // 2
    if not seen.colours and max(seen.values, default=0) <= middle:
        raise UserError(
            f"The masks in {folder} are to be read as binary, but they have {seen}, none of them above {middle}.",
            "Set `kind: indexed`, or make every object white.",
        )
    return middle


def _packed(code: Code, kind: CodingKind) -> int:
    if kind == "colour":
        red, green, blue = (code, code, code) if isinstance(code, int) else code
        return red << 16 | green << 8 | blue
    if isinstance(code, int):
        return code
    raise UserError(f"{list(code)} is a colour, but the masks are read as {kind}.", "Give a number, or `kind: colour`.")
