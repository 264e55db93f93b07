"""`uncertsam predict`: a picture with a prompt, or a folder with a file of boxes, to files and one summary.

boxes.json is {file name, relative to the folder: [[x0, y0, x1, y1], ...]}, in pixels of the upright picture, both ends
inside; stack.tif#p002 is the second page of a file that has several. Object k of a picture NAME.jpg goes to OUT/NAME/k/
(of a page to OUT/NAME_p002/k/); the one object of a single picture straight to OUT.
OUT/predictions.json holds what all their prediction.json hold.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from uncertsam.base.errors import UserError, printable
from uncertsam.base.files import write_json

if TYPE_CHECKING:
    from uncertsam.app.api.prediction import Prediction
    from uncertsam.app.api.predictor import UncertaintyPredictor
    from uncertsam.data.raw.images import Source

Boxes = list[list[float]]
SUMMARY = "predictions.json"
FORM = 'It is {"cat.jpg": [[x0, y0, x1, y1], ...], ...}, file names relative to the folder.'


@dataclass
class _Summary:
    """What was answered, as `facts` with the folder of each, what could not be, and what nobody asked about."""

    predictions: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)  # file, reason

    def add(self, prediction: "Prediction", out: Path, folder: PurePosixPath) -> None:
        from uncertsam.app.api.saving import facts

        files = prediction.save(out / folder)
        places = {key: (folder / path.name).as_posix() for key, path in files.items()}
        self.predictions.append(facts(prediction) | {"folder": folder.as_posix(), "files": places})


def predict_one(predictor: "UncertaintyPredictor", image: Path, prompt: Mapping[str, Any], out: Path) -> _Summary:
    """One picture: {"boxes", "points", "labels"}; several boxes are several objects. Raises UserError as the API."""
    boxes, points = prompt["boxes"], prompt["points"] or None
    if len(boxes) > 1 and points:
        raise UserError("Points say nothing beside several boxes.", "Give one box with points, or boxes alone.")
    _writable(out)
    predictor.set_image(image)
    summary = _Summary()
    if len(boxes) > 1:
        for k, prediction in enumerate(predictor.predict_boxes(boxes), 1):
            summary.add(prediction, out, PurePosixPath(str(k)))
    else:
        box = boxes[0] if boxes else None
        summary.add(predictor.predict(box, points, prompt["labels"] or None), out, PurePosixPath())
    write_json(out / SUMMARY, vars(summary))
    return summary


def predict_folder(predictor: "UncertaintyPredictor", folder: Path, boxes: Path, out: Path) -> _Summary:
    """Every box of the file; a picture or box that cannot be used is a problem in the summary, the rest goes on.

    Files of the folder, and pages, that no box is for are listed too.
    """
    from tqdm import tqdm

    asked = _read_boxes(boxes)
    homes = _homes(asked)
    _writable(out)
    summary = _Summary()
    for name, some in tqdm(asked.items(), "predict", unit="picture", disable=None):
        for k, prediction in _answers(predictor, folder / name, some, summary):
            summary.add(prediction, out, homes[name] / str(k))
    summary.skipped = _unasked(folder, asked, {boxes.resolve(), out.resolve()})
    write_json(out / SUMMARY, vars(summary))
    return summary


def _read_boxes(path: Path) -> dict[str, Boxes]:
    """The file of boxes. Raises UserError naming the entry that is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=partial(_once, path))
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.", FORM) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON ({error}).", FORM) from None
    if not isinstance(value, dict) or not value:
        raise UserError(f"{path} names no pictures.", FORM)
    for name, boxes in value.items():
        if not PurePosixPath(name).name:
            raise UserError(f"{path}: {name!r} names no picture.", FORM)
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise UserError(f"{path}: {name!r} leads out of the folder.", FORM)
        if not isinstance(boxes, list):
            raise UserError(f"{path}: {name!r} has no list of boxes.", FORM)
        for k, box in enumerate(boxes, 1):
            if not isinstance(box, list) or len(box) != 4 or not all(_is_number(v) for v in box):
                raise UserError(f"{path}: box {k} of {name!r} is not four numbers.", FORM)
    return {name: [[float(v) for v in box] for box in boxes] for name, boxes in value.items()}


def _once(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises UserError on a key that it has twice: all but its last value would be lost."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise UserError(f"{path} names {key!r} twice.", "Put all boxes of a picture into one list.")
        found[key] = value
    return found


def _writable(out: Path) -> None:
    """Make the folder. Raises UserError where nothing can be written into it: before the work, not after it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out} cannot be made a folder ({error.strerror}).", "Choose another --out.") from None
    if not os.access(out, os.W_OK | os.X_OK):
        raise UserError(f"The folder {out} is not writable.", "Choose another --out, or change its permissions.")


def told(summary: _Summary, out: Path) -> Iterator[str]:
    """A line per object, for people."""
    for one in summary.predictions:
        unit = "" if one["unit"] == "1" else f" {one['unit']}"
        scores = f"mean uncertainty {one['score']:.4g}{unit}, predicted IoU {one['iou_predicted']:.2f}"
        yield f"{one['image']}: {scores} -> {out / one['folder']}"
        yield from (f"  note: {note}" for note in one["notes"])


def _answers(
    predictor: "UncertaintyPredictor", image: Path, boxes: Boxes, summary: _Summary
) -> "Iterator[tuple[int, Prediction]]":
    """Each usable box's number, from 1, and answer."""
    from uncertsam.app.api.prompts import checked_box

    good: dict[int, list[float]] = {}
    try:
        predictor.set_image(image)
        for k, box in enumerate(boxes, 1):
            try:
                checked_box(box, *predictor.size)
                good[k] = box
            except UserError as error:
                summary.problems.append(f"{printable(image.name)}, box {k}: {error}")
        yield from zip(good, predictor.predict_boxes(list(good.values())), strict=True)
    except UserError as error:
        summary.problems.append(str(error))


def _unasked(folder: Path, asked: Mapping[str, Boxes], ours: set[Path]) -> list[dict[str, str]]:
    """The files and pages that have no box. ours: the file of boxes and the folder of results, where they lie here."""
    from uncertsam.app.api.pictures import page_named
    from uncertsam.data.raw.found import below, files_below

    wanted = {page_named(folder / name) for name, boxes in asked.items() if boxes}
    paths = [path for path in files_below(folder) if not ours & {path.resolve(), *path.resolve().parents}]
    reasons = {below(folder, path): _without_box(path, wanted) for path in paths}
    return [{"file": file, "reason": reason} for file, reason in reasons.items() if reason]


def _without_box(path: Path, wanted: "set[Source]") -> str | None:
    from uncertsam.data.raw.found import unread
    from uncertsam.data.raw.images import SUFFIXES, Page, Unusable, pages_of

    if path.suffix.lower() not in SUFFIXES or path.is_dir():
        return unread(path)
    try:
        first, *others = pages_of(path).numbers
    except Unusable:  # who asks for it is told
        first, others = 1, []
    lost = [] if {path, Page(path, first)} & wanted else [first]
    lost += [number for number in others if Page(path, number) not in wanted]
    if lost and others:
        return f"{len(lost)} of its {len(others) + 1} pages have no box, such as {Page(path, lost[0]).name}"
    return "it has no box" if lost else None


def _homes(names: Sequence[str] | Mapping[str, Any]) -> dict[str, PurePosixPath]:
    """The folder of each picture. Raises UserError where two would share one."""
    found: dict[PurePosixPath, str] = {}
    for name in names:
        home = PurePosixPath(re.sub(r"\.[^./]+#(p\d+)$", r"_\1", name))
        home = home.with_suffix("") if str(home) == name else home
        if home.name == SUMMARY:
            raise UserError(f"The results of {name} would take the place of {SUMMARY}.", "Rename the picture.")
        if home in found:
            raise UserError(f"{found[home]} and {name} would both be written to {home}.", "Rename one of them.")
        found[home] = name
    return {name: home for home, name in found.items()}


def _is_number(value: Any) -> bool:
    """Whether JSON's value is one that a float can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**1000
