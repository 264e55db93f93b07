"""Everything a visitor can do: a step takes a session and what was entered, and gives the next session.

Steps raise UserError; `attempt` turns that, and whatever else goes wrong, into a sentence and the session before.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from uncertsam.app.demo import _photos
from uncertsam.app.demo._maps import suggested
from uncertsam.app.demo._views import scale_of
from uncertsam.app.demo.session import Click, Session, SharedPredictor, answered, prompted
from uncertsam.base.errors import UserError, suggestion

CORNER, ON, BESIDE = MEANINGS = ("a corner of the box", "on the object", "beside the object")
Step = Callable[..., Session]


def attempt(bench: SharedPredictor, step: Step, session: Session | None, *entered: Any) -> Session:
    """The session after a step; after a mistake the one before, with a sentence of what is wrong. Never raises."""
    before = replace(session or bench.begin(), said="", failed=False)
    try:
        with bench.lock:
            return step(bench, before, *entered)
    except UserError as error:
        return replace(before, said=" ".join(str(error).split()), failed=True)
    except MemoryError:
        return replace(before, said="Memory ran out. Choose a smaller picture or fewer methods.", failed=True)
    except Exception as error:  # a visitor is shown no traceback; whoever started the page finds it in the terminal
        logging.getLogger(__name__).exception("a step of the page failed")
        said = f"This did not work ({type(error).__name__}). What was there before is kept; try something else."
        return replace(before, said=said, failed=True)


def take_sample(bench: SharedPredictor, session: Session, name: Any) -> Session:
    """A sample picture, with its object's box asked about at once."""
    photo = _photos.sample(str(name))
    return prompted(bench.look(session, photo), photo.box, ())


def upload(bench: SharedPredictor, session: Session, data: bytes | None) -> Session:
    """An uploaded file's bytes."""
    photo = _photos.uploaded(data)
    return replace(bench.look(session, photo), said=" ".join(photo.notes))


def click(bench: SharedPredictor, session: Session, at: Any, meaning: str) -> Session:
    """A click at x, y of the picture as it is shown: a corner of the box, or on or beside the object."""
    x, y = _of_picture(session, at)
    if meaning != CORNER:
        return prompted(session, session.box, (*session.clicks, Click(x, y, _label(meaning))))
    if session.corner is None:
        return replace(session, corner=(x, y), said="Now click at the opposite corner of the box.")
    (left, right), (top, bottom) = sorted((session.corner[0], x)), sorted((session.corner[1], y))
    return prompted(session, (float(left), float(top), float(right), float(bottom)), ())


def type_box(bench: SharedPredictor, session: Session, *numbers: Any) -> Session:
    """A box as four numbers; earlier clicks were for another one and go."""
    if any(not isinstance(value, int | float) or isinstance(value, bool) for value in numbers):
        raise UserError("A box needs four numbers.", "Give left, top, right and bottom in pixels.")
    left, top, right, bottom = map(float, numbers)
    return prompted(session, (left, top, right, bottom), ())


def follow(bench: SharedPredictor, session: Session, meaning: str) -> Session:
    """A click where the guiding map is highest."""
    at = suggestion_of(session)
    if at is None:
        raise UserError("There is no suggestion yet.", "Draw a box or click first.")
    return prompted(session, session.box, (*session.clicks, Click(*at, _label(meaning))))


def suggestion_of(session: Session) -> tuple[int, int] | None:
    """Where to click next; None without an answer, or where every pixel has been clicked at."""
    guiding = session.guiding
    return None if guiding is None else suggested(guiding.uncertainty, [(c.x, c.y) for c in session.clicks])


def undo(bench: SharedPredictor, session: Session) -> Session:
    """Without the corner that waits, else without the last click, else without the box."""
    if session.corner is not None:
        return replace(session, corner=None)
    box = session.box if session.clicks else None
    return answered(replace(session, box=box, clicks=session.clicks[:-1], answers={}))


def clear(bench: SharedPredictor, session: Session) -> Session:
    """Without box and clicks."""
    return replace(session, box=None, corner=None, clicks=(), answers={})


def choose(bench: SharedPredictor, session: Session, names: Sequence[str]) -> Session:
    """Which methods are shown; in the page's order."""
    for name in names:
        if name not in bench.methods:
            raise UserError(f"The method {name!r} is not offered here.", suggestion(str(name), bench.methods))
    if not names:
        raise UserError("No method is chosen.", "Choose at least one.")
    return answered(replace(session, methods=tuple(name for name in bench.methods if name in names)))


def guide(bench: SharedPredictor, session: Session, name: Any) -> Session:
    """Whose map says where to click next. A method that is not shown yet is shown then."""
    if name not in bench.methods:
        raise UserError(f"The method {name!r} is not offered here.", suggestion(str(name), bench.methods))
    return replace(choose(bench, session, [*session.methods, name]), guide=name)


def set_aside(bench: SharedPredictor, session: Session, percent: Any) -> Session:
    """The share of the least certain pixels, in percent."""
    if not isinstance(percent, int | float) or not 0 <= percent <= 100:
        raise UserError("The share to set aside is no number from 0 to 100.", "Move the slider.")
    return replace(session, share=percent / 100)


def _of_picture(session: Session, at: Any) -> tuple[int, int]:
    """The pixel of the picture under a place on the picture as shown."""
    if session.photo is None:
        raise UserError("There is no picture yet.", "Choose a sample or upload one.")
    height, width = session.photo.pixels.shape[:2]
    scale = scale_of(height, width)
    try:
        x, y = (float(value) / scale for value in at)
        inside = 0 <= x <= width and 0 <= y <= height
    except (TypeError, ValueError):
        inside = False
    if not inside:
        raise UserError("The click is outside of the picture.", "Click on the picture.")
    return min(int(x), width - 1), min(int(y), height - 1)


def _label(meaning: str) -> int:
    if meaning not in (ON, BESIDE):
        raise UserError("It is not known what a click means.", f"Choose one of: {', '.join(MEANINGS)}.")
    return int(meaning == ON)
