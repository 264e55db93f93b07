"""Pictures for the page: the one that is clicked at, and the maps of each answer; RGB, as large as they are shown."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float

from uncertsam.app.api.drawing import BESIDE, ON
from uncertsam.app.api.prediction import Prediction
from uncertsam.app.demo._maps import Region, kept
from uncertsam.app.demo.session import Session
from uncertsam.figures.overlay import BOX, Rgb, heat, outlined, resized, rgb, tinted

SHOWN, PANEL = 900, 460  # pixels of the longest side: of the picture, and of a map
NEXT = "#FF4DF0"  # the suggested click


def scale_of(height: int, width: int, longest: int = SHOWN) -> float:
    """How much a picture is enlarged to be shown."""
    return longest / max(height, width)


def canvas(session: Session, at: tuple[int, int] | None) -> Rgb | None:
    """The picture with outline, box, clicks and the suggestion `at`; None where there is no picture."""
    if session.photo is None:
        return None
    drawn, scale = resized(session.photo.pixels, SHOWN, True).copy(), scale_of(*session.photo.pixels.shape[:2])
    if session.guiding is not None:
        outlined(drawn, session.guiding.mask, 2)
    if session.box is not None:
        _framed(drawn, session.box, scale)
    for click in session.clicks:
        _clicked(drawn, _place((click.x, click.y), scale), click.label)
    if session.corner is not None:
        cv2.drawMarker(drawn, _place(session.corner, scale), rgb(BOX), cv2.MARKER_CROSS, 26, 3, cv2.LINE_AA)
    if at is not None:
        _ringed(drawn, _place(at, scale), 13)
    return drawn


def masked(answer: Prediction) -> Rgb:
    """The picture with the mask laid over it."""
    picture = tinted(resized(answer.picture, PANEL, True), _inside(answer.mask), 0.4)
    return outlined(picture, answer.mask, 2)


def coloured(values: Float[np.ndarray, "rows columns"], ends: tuple[float, float]) -> Rgb:
    """A map in colours from the first end to the second."""
    return heat(resized(values, PANEL, True), ends)


def doubted(answer: Prediction, ends: tuple[float, float], at: tuple[int, int] | None, found: Sequence[Region]) -> Rgb:
    """The map of uncertainty with the mask's outline, the numbers of its regions and the suggestion."""
    drawn, scale = coloured(answer.uncertainty, ends), scale_of(*answer.size, PANEL)
    outlined(drawn, answer.mask, 1)
    if at is not None:
        _ringed(drawn, _place(at, scale), 8)
    for number, region in enumerate(found, 1):
        _numbered(drawn, _place((region.x, region.y), scale), str(number))
    return drawn


def certain(answer: Prediction, share: float) -> Rgb:
    """What is kept: the mask over the picture, and white hatched where pixels are set aside."""
    drawn, mask = masked(answer), kept(answer.uncertainty, share)
    gone = _inside(~mask) > 0.5
    rows, columns = np.nonzero(gone)
    drawn[gone] = np.where((rows + columns) // 4 % 2, np.uint8(255), np.uint8(205))[:, None]
    return drawn


def _inside(mask: Bool[np.ndarray, "rows columns"]) -> Float[np.ndarray, "h w"]:
    return resized(mask.astype(np.float32), PANEL, True)


def _place(at: tuple[int, int], scale: float) -> tuple[int, int]:
    """The middle of a pixel, where it is shown."""
    return int((at[0] + 0.5) * scale), int((at[1] + 0.5) * scale)


def _framed(drawn: Rgb, box: tuple[float, float, float, float], scale: float) -> None:
    first, last = (int(box[0] * scale), int(box[1] * scale)), (int((box[2] + 1) * scale), int((box[3] + 1) * scale))
    for colour, thick in (((0, 0, 0), 5), (rgb(BOX), 3)):
        cv2.rectangle(drawn, first, last, colour, thick, cv2.LINE_AA)


def _clicked(drawn: Rgb, at: tuple[int, int], label: int) -> None:
    """A disc with a plus on the object and a minus beside it: not by colour alone."""
    cv2.circle(drawn, at, 12, (255, 255, 255), -1, cv2.LINE_AA)
    cv2.circle(drawn, at, 10, rgb(ON if label else BESIDE), -1, cv2.LINE_AA)
    cv2.line(drawn, (at[0] - 6, at[1]), (at[0] + 6, at[1]), (0, 0, 0), 2, cv2.LINE_AA)
    if label:
        cv2.line(drawn, (at[0], at[1] - 6), (at[0], at[1] + 6), (0, 0, 0), 2, cv2.LINE_AA)


def _ringed(drawn: Rgb, at: tuple[int, int], radius: int) -> None:
    for colour, thick in (((0, 0, 0), 6), (rgb(NEXT), 3)):
        cv2.circle(drawn, at, radius, colour, thick, cv2.LINE_AA)
    cv2.circle(drawn, at, 2, rgb(NEXT), -1, cv2.LINE_AA)


def _numbered(drawn: Rgb, at: tuple[int, int], text: str) -> None:
    """Beside the place, so that it is still seen; within the picture."""
    height, width = drawn.shape[:2]
    where = (min(max(at[0] + 10, 2), max(width - 14, 2)), min(max(at[1] - 6, 14), max(height - 4, 14)))
    for colour, thick in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        cv2.putText(drawn, text, where, cv2.FONT_HERSHEY_SIMPLEX, 0.55, colour, thick, cv2.LINE_AA)
