"""What one visitor has on the page. A session never changes: every step makes a new one, so that two never mix."""

import threading
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from uncertsam.app.api.prediction import Prediction
from uncertsam.app.api.predictor import UncertaintyPredictor
from uncertsam.app.demo._photos import Box, DemoPicture
from uncertsam.base.errors import UserError

METHODS = ("sam", "laplace_closed", "variance", "prompt", "tta_geometric", "combined_total")
FIRST = ("sam", "prompt", "combined_total")  # shown at first; the others where they are asked for


class Click(NamedTuple):
    """A pixel of the picture; label 1 on the object, 0 beside it."""

    x: int
    y: int
    label: int


@dataclass(frozen=True, eq=False)
class Session:
    """One visitor's picture, prompt and answers.

    predictor: of this session alone, the picture encoded in it. corner: of a box whose second corner is still to come.
    guide: the method whose map says where to click next. share: of the least certain pixels, set aside. said: the
    sentence on the page, and whether it is about a mistake.
    """

    predictor: UncertaintyPredictor | None = field(repr=False, default=None)
    photo: DemoPicture | None = field(repr=False, default=None)
    box: Box | None = None
    corner: tuple[int, int] | None = None
    clicks: tuple[Click, ...] = ()
    methods: tuple[str, ...] = ("sam",)
    guide: str = "sam"
    share: float = 0.1
    answers: Mapping[str, Prediction] = field(repr=False, default_factory=dict)
    said: str = ""
    failed: bool = False

    @property
    def guiding(self) -> Prediction | None:
        """The answer whose map suggests the next click; the first one where the chosen method is not shown."""
        return self.answers.get(self.guide) or next(iter(self.answers.values()), None)


class SharedPredictor:
    """The model and the methods that all sessions share, none of which keeps anything of a picture.

    lock: one step at a time, whosesoever it is: two would only slow each other down, and matplotlib is not made for it.
    """

    def __init__(self, predictor: UncertaintyPredictor, names: Sequence[str] = METHODS) -> None:
        self._predictor, self.lock = predictor, threading.Lock()
        self.methods: list[str] = []
        self.missing: dict[str, str] = {}
        for name in names:
            try:
                predictor.method(name)
                self.methods.append(name)
            except UserError as error:
                self.missing[name] = error.mend

    def begin(self) -> Session:
        """A visitor who has done nothing yet."""
        first = tuple(name for name in self.methods if name in FIRST)
        return Session(methods=first, guide=first[0])

    def look(self, session: Session, photo: DemoPicture) -> Session:
        """Encode a picture, once, in a predictor of the session's own. Box and clicks are those of the old picture."""
        own = copy(self._predictor)
        own.set_image(photo.pixels)
        return replace(session, predictor=own, photo=photo, box=None, corner=None, clicks=(), answers={})


def prompted(session: Session, box: Box | None, clicks: tuple[Click, ...]) -> Session:
    """Another prompt, answered anew. Raises UserError on one that makes no sense; the session before stays good."""
    if session.predictor is None:
        raise UserError("There is no picture yet.", "Choose a sample or upload one.")
    found = answered(replace(session, box=box, corner=None, clicks=clicks, answers={}))
    first = next(iter(found.answers.values()), None)
    return found if first is None else replace(found, box=first.question.box, said=" ".join(first.notes))


def answered(session: Session) -> Session:
    """With the answers of all chosen methods; those that are there already are kept."""
    if session.predictor is None or (session.box is None and not session.clicks):
        return replace(session, answers={})
    points = [[click.x, click.y] for click in session.clicks] or None
    labels = [click.label for click in session.clicks] or None
    found = {
        name: session.answers.get(name) or session.predictor.predict(session.box, points, labels, method=name)
        for name in session.methods
    }
    return replace(session, answers=found)
