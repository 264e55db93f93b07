"""Facts about methods, metrics and datasets: what they are called, who is a baseline, which direction is better.

How they are drawn is told by `uncertsam.figures.style`, so that another colour changes no number.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class MethodFacts:
    """The name of a method and a sentence on it; `baseline` marks the naive ones."""

    label: str
    about: str = ""
    baseline: bool = False


@dataclass(frozen=True)
class MetricFacts:
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


METHODS: dict[str, MethodFacts] = {
    "sam": MethodFacts("SAM 2", "The model as it is; uncertainty is the entropy of its own probability."),
    "laplace": MethodFacts(
        "Laplace", "The last layer's weights become a Gaussian; its samples vote, and are averaged."
    ),
    "laplace_closed": MethodFacts(
        "Laplace, closed form", "The same Gaussian, averaged by formula instead of by sampling."
    ),
    "tta_train": MethodFacts("TTA, training-style", "Average over images changed as in SAM 2's training."),
    "tta_hue": MethodFacts("TTA, hue", "Average over images with shifted hue."),
    "tta_geometric": MethodFacts("TTA, geometric", "Average over warped images, each warped back."),
    "prompt": MethodFacts("Prompt perturbation", "Average over slightly moved boxes."),
    "variance": MethodFacts(
        "Variance net", "A trained head says the squared error; uncertainty is that of a coin with it."
    ),
    "combined_total": MethodFacts(
        "Combined: total variance", "Variance over models, pictures and boxes at once, with the share of each."
    ),
    "combined_sum": MethodFacts(
        "Combined: sum of entropies", "Entropies under Laplace, changed colours and moved boxes, added."
    ),
    "combined_fitted": MethodFacts(
        "Combined: fitted", "The same entropies, weighted so that they predict the error on calibration images."
    ),
    "constant": MethodFacts("Constant (baseline)", "SAM 2's mask, equally unsure everywhere.", baseline=True),
    "boundary_distance": MethodFacts(
        "Boundary distance (baseline)", "SAM 2's mask, unsure near its own outline.", baseline=True
    ),
}
BASELINES = tuple(name for name, style in METHODS.items() if style.baseline)

# the rows of the refinement's tables; they are never drawn together with the methods
REFINED: dict[str, MethodFacts] = {
    "fusion_sam_ones": MethodFacts("Refined: SAM + ones", "A second pass, told of SAM 2's logits and of nothing else."),
    "fusion_la_ones": MethodFacts(
        "Refined: Laplace + ones", "A second pass, told of Laplace's logits and of nothing else."
    ),
    "fusion_sam_entropy": MethodFacts(
        "Refined: SAM + U", "A second pass, told of SAM 2's logits and of their own entropy."
    ),
    "fusion_la": MethodFacts("Refined: Laplace + U", "A second pass, told of Laplace's logits and of their entropy."),
    "fusion_la_lodo": MethodFacts(
        "Refined: Laplace + U, LODO", "The same, trained with the domain left out on which it is tested."
    ),
    "truth_prompt": MethodFacts(
        "Truth as mask prompt (bound)", "SAM 2 shown the true mask: what a mask prompt can do at most."
    ),
}

QUALITY = ("iou", "boundary_iou_0.02")  # what the paper's Table 1 tells of masks
METRICS: dict[str, MetricFacts] = {
    "iou": MetricFacts("Mean IoU", "higher", "Overlap of mask and truth, from 0 to 1."),
    "boundary_iou_0.02": MetricFacts(
        "Boundary IoU (2 %)",
        "higher",
        "Overlap of the outlines alone, as wide as 2 % of the image's diagonal.",
        short="Boundary IoU",
    ),
    "boundary_iou_0.01": MetricFacts("Boundary IoU (1 %)", "higher", "The same with 1 % of the diagonal."),
    "dice": MetricFacts("Dice", "higher", "Overlap of mask and truth, counted twice against both areas."),
    "pearson": MetricFacts(
        "Pearson correlation ρ",
        "higher",
        "Does uncertainty rise and fall with the error |P - M|, pixel by pixel?",
        True,
        "Pearson ρ",
    ),
    "spearman": MetricFacts("Spearman correlation", "higher", "The same for ranks instead of values.", True),
    "brier": MetricFacts("Brier score", "lower", "Mean squared distance of the probability from the truth."),
    "nll": MetricFacts("Negative log-likelihood", "lower", "The surprise at the truth, in nats per pixel."),
    "ece": MetricFacts(
        "Calibration error (ECE)", "lower", "Of pixels said to be 80 % object, how far from 80 % are?", short="ECE"
    ),
    "aurc": MetricFacts("AURC", "lower", "Share of wrong pixels left when unsure ones are set aside, averaged.", True),
    "augrc": MetricFacts("AUGRC", "lower", "As AURC, but the share is of all pixels: the fairer average.", True),
    "auroc": MetricFacts("Pixel AUROC", "higher", "How often is a wrong pixel less certain than a right one?", True),
    "image_auroc": MetricFacts(
        "Mask AUROC", "higher", "How often has a failed mask more uncertainty, on average, than a good one?", True
    ),
    "image_aurc": MetricFacts("Mask AURC", "lower", "As AURC, over masks, with 1 - IoU as the risk.", True),
    "image_augrc": MetricFacts("Mask AUGRC", "lower", "As AUGRC, over masks, with 1 - IoU as the risk.", True),
    "error_rate": MetricFacts("Wrong pixels", "lower", "Share of wrong pixels."),
    "mean_u": MetricFacts("Mean uncertainty", "neither", "Mean of the map; only comparable within a unit.", True),
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
UNTRUE_LABELS = ("derived", "model", "mixed")  # label qualities that are not (wholly) ground truth


def method_facts(name: str) -> MethodFacts:
    """The facts on a method; the name of an unknown one follows from its key."""
    if name in METHODS or name in REFINED:
        return METHODS.get(name) or REFINED[name]
    first, _, steps = name.rpartition("_")
    if first.startswith("fusion_") and steps.isdigit():
        return replace(method_facts(first), label=f"{method_facts(first).label}, {steps} times")
    return MethodFacts(f"Combined: {spoken(name[9:])}" if name.startswith("combined_") else spoken(name))


def metric_facts(name: str) -> MetricFacts:
    """The name and direction of a metric; of an unknown one no direction is claimed."""
    return METRICS.get(name) or MetricFacts(spoken(name), "neither")


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
