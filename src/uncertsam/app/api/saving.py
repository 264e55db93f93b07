"""An answer on disk.

overlay.png         the picture with the mask's outline and the uncertainty, of the picture's own size
plot.png            the figure of `Prediction.plot`
uncertainty.png     16 bits; U = low + value / 65535 * (high - low), with low and high in prediction.json
maps.npz            mask [H, W] bool; probability, uncertainty and the parts of the decomposition [H, W] float32;
                    logits, of low resolution, which can be a mask prompt
prediction.json     everything else: prompt, scores, what it was made from, COCO's form of the mask, timings
"""

from pathlib import Path
from typing import Any

import numpy as np

from uncertsam.app.api.drawing import limits, overlay, plot, write_png
from uncertsam.app.api.prediction import Prediction
from uncertsam.base.files import encoded, write_json, written_aside

LEVELS = 65535


def save(prediction: Prediction, folder: Path) -> dict[str, Path]:
    """Write the five files; each is written whole or not at all. Without its picture an answer has no first two."""
    names = {"uncertainty": "uncertainty.png", "maps": "maps.npz", "prediction": "prediction.json"}
    if prediction.pixels is not None:
        names |= {"overlay": "overlay.png", "plot": "plot.png"}
    files = {key: folder / name for key, name in names.items()}
    if prediction.pixels is not None:
        _write_png(files["overlay"], overlay(prediction)[..., ::-1])
        with written_aside(files["plot"]) as aside:
            write_png(plot(prediction), aside)
    low, high = _ends(prediction)
    levels = ((prediction.uncertainty - low) / (high - low) * LEVELS).round()
    _write_png(files["uncertainty"], levels.clip(0, LEVELS).astype(np.uint16))
    with written_aside(files["maps"]) as aside:
        np.savez_compressed(aside, **_maps(prediction))
    write_json(files["prediction"], facts(prediction) | {"files": names})
    return files


def _ends(prediction: Prediction) -> tuple[float, float]:
    """What 0 and 65535 stand for: the range of colours, widened where the map leaves it."""
    low, high = limits(prediction)
    return min(low, float(prediction.uncertainty.min())), max(high, float(prediction.uncertainty.max()))


def _maps(prediction: Prediction) -> dict[str, Any]:
    """The arrays of maps.npz."""
    found = {name: getattr(prediction, name) for name in ("mask", "probability", "uncertainty", "logits")}
    return found | prediction.decomposition


def facts(prediction: Prediction) -> dict[str, Any]:
    """What JSON can hold of an answer; numbers in pixels, seconds, and the unit of the measure."""
    asked, origin = prediction.question, prediction.origin
    low, high = _ends(prediction)
    return {
        **vars(origin),
        "params": dict(origin.params),
        "unit": origin.unit,
        "height": prediction.size[0],
        "width": prediction.size[1],
        "box": asked.box,
        "points": asked.points.tolist(),
        "labels": asked.labels.tolist(),
        "mask_prompt": asked.mask is not None,
        "notes": list(prediction.notes),
        "score": prediction.score,
        "iou_predicted": prediction.iou,
        "object_score": prediction.object_logit,
        "uncertainty_png": {"low": low, "high": high, "value": "low + pixel / 65535 * (high - low)"},
        "decomposition": {name: float(part.mean(dtype=np.float64)) for name, part in prediction.decomposition.items()},
        "coco": prediction.to_coco(),
        "timings": {name: round(seconds, 6) for name, seconds in prediction.timings.items()},
    }


def _write_png(path: Path, picture: np.ndarray) -> None:
    with written_aside(path) as aside:
        aside.write_bytes(encoded(picture, ".png"))
