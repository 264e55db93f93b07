import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest

from uncertsam.catalogue import BASELINES, METHODS, METRICS, dataset_label, in_order, metric_facts
from uncertsam.figures.style import method_style

STYLES = {name: method_style(name) for name in METHODS}

# severity 1 of Machado, Oliveira and Fernandes (2009), on linear RGB
VISIONS = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
}
LMS = [[0.41222147, 0.53633254, 0.05144599], [0.2119035, 0.6806995, 0.10739696], [0.08830246, 0.28171884, 0.6299787]]
LAB = [
    [0.21045426, 0.79361779, -0.00407205],
    [1.9779985, -2.42859221, 0.45059371],
    [0.02590404, 0.78277177, -0.80867577],
]


def linear(colour: str) -> np.ndarray:
    levels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


def seen(colour: str, vision: str) -> np.ndarray:
    """Oklab coordinates, in which distance is near to what people see."""
    rgb = np.clip(np.array(VISIONS[vision]) @ linear(colour), 0, 1)
    return np.array(LAB) @ np.cbrt(np.array(LMS) @ rgb)


@pytest.mark.parametrize("vision", VISIONS)
def test_every_two_known_methods_look_different_to_everyone(vision: str) -> None:
    for one, other in combinations(STYLES.values(), 2):
        gap = np.linalg.norm(seen(one.colour, vision) - seen(other.colour, vision))
        assert gap > 0.075, (one.label, other.label)


def test_known_methods_have_their_own_marker_and_label() -> None:
    assert len({style.marker for style in STYLES.values()}) == len(STYLES)
    assert len({style.label for style in STYLES.values()}) == len(STYLES)


@pytest.mark.parametrize("paper", ["#ffffff", "#171b21"])
def test_colours_show_on_light_and_on_dark_paper(paper: str) -> None:
    light = np.array([0.2126, 0.7152, 0.0722])
    for style in STYLES.values():
        low, high = sorted([light @ linear(style.colour), light @ linear(paper)])
        assert (high + 0.05) / (low + 0.05) > 1.6, style.label


def test_only_baselines_are_grey() -> None:
    for name, style in STYLES.items():
        chroma = np.linalg.norm(seen(style.colour, "normal")[1:])
        assert (chroma < 0.03) == (name in BASELINES), name


def test_an_unknown_method_looks_the_same_on_every_machine() -> None:
    assert (method_style("my_method").colour, method_style("my_method").marker) == ("#216FBA", "o")
    assert method_style("my_method").label == "My method"
    assert method_style("combined_tta_prompt").label == "Combined: Tta prompt"
    assert method_style("combined_tta_prompt").marker == "*"


def test_labels_say_what_must_not_be_missed() -> None:
    assert dataset_label("soft_shadows", synthetic=True) == "Soft shadows (synthetic)"
    assert dataset_label("spleen", quality="model") == "Spleen\N{NO-BREAK SPACE}†"
    assert dataset_label("x", quality="derived", too_small=True) == "X\N{NO-BREAK SPACE}†‡"
    assert dataset_label("COD10K-v3") == "COD10K"


def test_arrows_point_to_the_better_end() -> None:
    up = {name for name in METRICS if metric_facts(name).title.endswith("↑")}
    assert {"iou", "boundary_iou_0.02", "dice", "pearson", "spearman", "auroc", "image_auroc"} <= up
    assert not up & {"brier", "nll", "ece", "aurc", "augrc", "image_augrc", "mean_u"}
    assert metric_facts("never_heard_of").title == "Never heard of"


def test_known_names_come_first_and_each_once() -> None:
    assert in_order(["z", "b", "a", "b"], known=["c", "b"]) == ["b", "a", "z"]


def test_names_and_colours_need_no_drawing_library() -> None:
    code = "import sys, uncertsam.figures.style; print(sorted({'matplotlib', 'torch', 'cv2'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
