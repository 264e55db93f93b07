"""How things look and are called: one colour, marker and name per method, in every picture and table.

The colours start from Okabe and Ito's colour-blind safe set. Importing this module loads no drawing library, so that
the report can use the same names and colours.
"""

import colorsys
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

STYLE_SHEET = Path(__file__).with_name("uncertsam.mplstyle")

# the page colours of the style sheet, in code: a page may repaint them (dark mode), a method's colour never changes
INK, MUTED, RULE, GRID, PAPER = "#1c2430", "#5c6573", "#c9cfd8", "#e3e7ec", "#ffffff"


@dataclass(frozen=True)
class MethodStyle:
    """The look of a method and a sentence on it; `line` is a Matplotlib line style, `baseline` marks the naive ones."""

    label: str
    colour: str
    marker: str
    about: str = ""
    line: Any = "-"
    baseline: bool = False


@dataclass(frozen=True)
class MetricStyle:
    """The name of a metric, which end of it is good, a sentence on it, and a shorter name for the heads of tables.

    ranks_uncertainty: it looks at the uncertainty map; the others see mask and probability alone.
    """

    label: str
    better: Literal["higher", "lower", "neither"]
    about: str = ""
    ranks_uncertainty: bool = False
    short: str = ""

    @property
    def title(self) -> str:
        """The name with its direction, such as "Brier score ↓"."""
        return self.label + self._arrow

    @property
    def head(self) -> str:
        """The short name with its direction, such as "ECE ↓"."""
        return (self.short or self.label) + self._arrow

    @property
    def _arrow(self) -> str:
        return {"higher": "\u00a0↑", "lower": "\u00a0↓", "neither": ""}[self.better]


METHODS: dict[str, MethodStyle] = {
    "sam": MethodStyle(
        "SAM 2", "#0072B2", "o", "The model as it is; uncertainty is the entropy of its own probability."
    ),
    "laplace": MethodStyle(
        "Laplace", "#D55E00", "D", "The last layer's weights become a Gaussian; its samples vote, and are averaged."
    ),
    "laplace_closed": MethodStyle(
        "Laplace, closed form", "#E69F00", "s", "The same Gaussian, averaged by formula instead of by sampling."
    ),
    "tta_train": MethodStyle(
        "TTA, training-style", "#009C6D", "^", "Average over images changed as in SAM 2's training."
    ),
    "tta_hue": MethodStyle("TTA, hue", "#8FD694", "v", "Average over images with shifted hue."),
    "tta_geometric": MethodStyle("TTA, geometric", "#59DBDB", "<", "Average over warped images, each warped back."),
    "prompt": MethodStyle("Prompt perturbation", "#C0104A", "P", "Average over slightly moved boxes."),
    "variance_logvar": MethodStyle(
        "Variance net, log variance", "#9266F2", "h", "A trained head says the log variance."
    ),
    "variance_var": MethodStyle("Variance net, variance", "#5E2BC8", "p", "A trained head says the variance."),
    "variance_entropy": MethodStyle(
        "Variance net, entropy", "#45AFF7", "8", "Entropy under the trained head's variance."
    ),
    "combined_total": MethodStyle(
        "Combined: total variance",
        "#65311E",
        "*",
        "Variance over models, pictures and boxes at once, with the share of each.",
        (0, (6, 1.5, 1.5, 1.5)),
    ),
    "combined_sum": MethodStyle(
        "Combined: sum of entropies",
        "#F4C21F",
        ">",
        "Entropies under Laplace, changed colours and moved boxes, added.",
        (0, (6, 1.5, 1.5, 1.5)),
    ),
    "combined_fitted": MethodStyle(
        "Combined: fitted",
        "#2E90BF",
        "H",
        "The same entropies, weighted so that they foretell the error on calibration images.",
        (0, (6, 1.5, 1.5, 1.5)),
    ),
    "constant": MethodStyle(
        "Constant (baseline)", "#A3A8B0", "X", "SAM 2's mask, equally unsure everywhere.", (0, (1.5, 1.5)), True
    ),
    "boundary_distance": MethodStyle(
        "Boundary distance (baseline)", "#59606B", "d", "SAM 2's mask, unsure near its own outline.", (0, (4, 2)), True
    ),
}
BASELINES = tuple(name for name, style in METHODS.items() if style.baseline)

# the rows of the refinement's tables; they are never drawn together with the methods
REFINED: dict[str, MethodStyle] = {
    "fusion_sam_ones": MethodStyle(
        "Refined: SAM + ones", "#8FB8DE", "o", "A second pass, told of SAM 2's logits and of nothing else."
    ),
    "fusion_la_ones": MethodStyle(
        "Refined: Laplace + ones", "#F2B48C", "D", "A second pass, told of Laplace's logits and of nothing else."
    ),
    "fusion_sam_entropy": MethodStyle(
        "Refined: SAM + U", "#2C6FA8", "o", "A second pass, told of SAM 2's logits and of their own entropy."
    ),
    "fusion_la": MethodStyle(
        "Refined: Laplace + U", "#B3440B", "D", "A second pass, told of Laplace's logits and of their entropy."
    ),
    "fusion_la_lodo": MethodStyle(
        "Refined: Laplace + U, LODO",
        "#C89B1E",
        "D",
        "The same, trained with the domain left out on which it is tested.",
    ),
    "truth_prompt": MethodStyle(
        "Truth as mask prompt (bound)", "#59606B", "X", "SAM 2 shown the true mask: what a mask prompt can do at most."
    ),
}

# what SAM and LA as published differ in, in the order in which a waterfall goes through it
FACTORS: dict[str, MethodStyle] = {
    "token": MethodStyle("Token 0, always", "#0072B2", "o", "Instead of SAM 2's fallback to another mask."),
    "gate": MethodStyle("No gate", "#009C6D", "s", "A mask stays where the object score says that there is none."),
    "precision": MethodStyle("bfloat16, clamped", "#9266F2", "^", "After the logits; P is held in [0.01, 0.99]."),
    "bayes": MethodStyle("Laplace", "#D55E00", "D", "The posterior's average instead of the plain answer."),
}

QUALITY = ("iou", "boundary_iou_0.02")  # what the paper's Table 1 tells of masks
METRICS: dict[str, MetricStyle] = {
    "iou": MetricStyle("Mean IoU", "higher", "Overlap of mask and truth, from 0 to 1."),
    "boundary_iou_0.02": MetricStyle(
        "Boundary IoU (2 %)",
        "higher",
        "Overlap of the outlines alone, as wide as 2 % of the image's diagonal.",
        short="Boundary IoU",
    ),
    "boundary_iou_0.01": MetricStyle("Boundary IoU (1 %)", "higher", "The same with 1 % of the diagonal."),
    "dice": MetricStyle("Dice", "higher", "Overlap of mask and truth, counted twice against both areas."),
    "pearson": MetricStyle(
        "Pearson correlation ρ",
        "higher",
        "Does uncertainty rise and fall with the error |P - M|, pixel by pixel?",
        True,
        "Pearson ρ",
    ),
    "spearman": MetricStyle("Spearman correlation", "higher", "The same for ranks instead of values.", True),
    "brier": MetricStyle("Brier score", "lower", "Mean squared distance of the probability from the truth."),
    "nll": MetricStyle("Negative log-likelihood", "lower", "The surprise at the truth, in nats per pixel."),
    "ece": MetricStyle(
        "Calibration error (ECE)", "lower", "Of pixels said to be 80 % object, how far from 80 % are?", short="ECE"
    ),
    "aurc": MetricStyle("AURC", "lower", "Share of wrong pixels left when unsure ones are set aside, averaged.", True),
    "augrc": MetricStyle("AUGRC", "lower", "As AURC, but the share is of all pixels: the fairer average.", True),
    "auroc": MetricStyle("Pixel AUROC", "higher", "How often is a wrong pixel less certain than a right one?", True),
    "image_auroc": MetricStyle(
        "Mask AUROC", "higher", "How often has a failed mask more uncertainty, on average, than a good one?", True
    ),
    "image_aurc": MetricStyle("Mask AURC", "lower", "As AURC, over masks, with 1 - IoU as the risk.", True),
    "image_augrc": MetricStyle("Mask AUGRC", "lower", "As AUGRC, over masks, with 1 - IoU as the risk.", True),
    "error_rate": MetricStyle("Wrong pixels", "lower", "Share of wrong pixels."),
    "mean_u": MetricStyle("Mean uncertainty", "neither", "Mean of the map; only comparable within a unit.", True),
}

DATASETS = {  # the paper's order and spelling
    "BIG": "BIG",
    "COIFT": "COIFT",
    "COD10K-v3": "COD10K",
    "MSD_Spleen": "MSD Spleen",
    "ISTD": "ISTD",
    "SBU-shadow": "SBU",
    "Flare7K": "Flare7K",
    "Trans10K": "Trans10K",
}
WHERE = {"roi": " Within the dilated truth only."}  # what a figure of another region than the image says
UNTRUE_LABELS = ("derived", "model", "mixed")  # label qualities that are not (wholly) ground truth

_MARKERS = ("o", "s", "^", "D", "v", "P", ">", "h", "<", "p")


def method_style(name: str) -> MethodStyle:
    """The look of a method. An unknown one gets a colour and a marker by the hash of its name, the same everywhere."""
    if name in METHODS or name in REFINED:
        return METHODS.get(name) or REFINED[name]
    first, _, steps = name.rpartition("_")
    if first.startswith("fusion_") and steps.isdigit():
        return replace(method_style(first), label=f"{method_style(first).label}, {steps} times")
    code = hashlib.sha256(name.encode()).digest()
    if name.startswith("combined_"):
        colour = _hex(0.06 + code[0] / 255 * 0.06, 0.22 + code[1] / 255 * 0.25, 0.8)
        return MethodStyle(f"Combined: {spoken(name[9:])}", colour, "*", line=(0, (6, 1.5, 1.5, 1.5)))
    colour = _hex(code[0] / 256, 0.35 + code[1] / 255 * 0.25, 0.7)
    return MethodStyle(spoken(name), colour, _MARKERS[code[2] % len(_MARKERS)])


def metric_style(name: str) -> MetricStyle:
    """The name and direction of a metric; of an unknown one no direction is claimed."""
    return METRICS.get(name) or MetricStyle(spoken(name), "neither")


def dataset_label(name: str, synthetic: bool = False, quality: str = "human", too_small: bool = False) -> str:
    """The name of a dataset with all that a reader must not miss: "(synthetic)", † untrue labels, ‡ few images."""
    marks = ("†" if quality in UNTRUE_LABELS else "") + ("‡" if too_small else "")
    text = DATASETS.get(name) or spoken(name)
    if synthetic:
        text += " (synthetic)"
    return f"{text}\u00a0{marks}" if marks else text  # a mark never starts a line


def spoken(name: str) -> str:
    """A key as people read it: "soft_shadows" becomes "Soft shadows"."""
    text = name.replace("_", " ").strip() or name
    return text[:1].upper() + text[1:]


def in_order(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Each name once: the known ones in their own order, then the others by alphabet."""
    present = set(names)
    first = [name for name in known if name in present]
    return first + sorted(present.difference(first))


@contextmanager
def styled() -> Iterator[None]:
    """Draw inside this: the project's style sheet on Matplotlib's defaults, whatever the machine's own settings are.

    For a process that draws in one thread only, as a stage does: Matplotlib's settings are shared by all threads.
    """
    import matplotlib.style

    with matplotlib.style.context(["default", STYLE_SHEET]):
        yield


def _hex(hue: float, lightness: float, saturation: float) -> str:
    return "#" + "".join(f"{round(255 * c):02X}" for c in colorsys.hls_to_rgb(hue, lightness, saturation))
