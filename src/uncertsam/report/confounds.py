"""Why a number of the paper may not be what its text says it is, and what in this project answers that.

From reading the paper beside its public code (commit 7ef8fdb). Nothing of that code was run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Confound:
    """What differs, what it may do, and where the answer is: a table, or methods, or params of this project."""

    topic: str
    differs: str
    answer: str
    table: str = ""
    methods: tuple[str, ...] = ()


CONFOUNDS: tuple[Confound, ...] = (
    Confound(
        "Token",
        "SAM, augmentations and prompts take the first mask, or another one where it is unstable; Laplace always takes "
        "the first. Part of Laplace's gain on unstable sets may be that.",
        "The factor token (0, dynamic) of the controls, with MAP and Laplace on either.",
        "controls",
    ),
    Confound(
        "Gate",
        "All but Laplace give no mask where the object score is at most 0.",
        "The factor gate of the controls.",
        "controls",
    ),
    Confound(
        "Precision",
        "The text says float32 for Laplace; the code runs it under bf16, which keeps P within [0.01, 0.99] and entropy "
        "above 0.056 nats. The other methods keep float32. Correlation and Brier are not like for like.",
        "The factor dtype of the controls: float32, and bf16 with that clamp.",
        "controls",
    ),
    Confound(
        "Bayes",
        "With token, gate and precision set alike, what is left is the posterior itself.",
        "The factor Bayes (MAP, Laplace) of the controls, by Shapley values.",
        "controls",
    ),
    Confound(
        "Likelihood",
        "The code fits a softmax over the 16,384 pixels of a mask, not a coin per pixel: far less curvature, hence a "
        "far wider posterior.",
        "laplace.likelihood (softmax_pixels, bernoulli), compared in the controls.",
        "controls",
    ),
    Confound(
        "Prior and temperature",
        "Both are 1, and were never tuned.",
        "The controls' prior precision: 1, by marginal likelihood, by validation; and temperature.",
        "controls",
    ),
    Confound(
        "Number of samples",
        "1,000 for the correlations, 100 for the refinement; the text states neither.",
        "The controls at 5, 10, 100 and 1,000 samples, beside the closed form.",
        "controls",
        ("laplace_closed",),
    ),
    Confound(
        "What the variance network's U is",
        "The code takes the raw log variance. Correlation changes under any other scale of the same numbers.",
        "Three methods: log variance, variance, and predictive entropy.",
        methods=("variance_logvar", "variance_var", "variance_entropy"),
    ),
    Confound(
        "Weight decay of the refinement",
        "0.01 for Laplace with U, 0.001 for both arms with ones; the text says 0.01 for all.",
        "One weight decay for all arms here; the authors' is a parameter.",
        "refinement",
        ("fusion_la", "fusion_la_ones", "fusion_sam_ones"),
    ),
    Confound(
        "Start of the refinement",
        "The 1x1 convolution that fuses starts at random, which destroys what the mask embedding knew.",
        "A start at the identity beside the authors' random one.",
        "refinement",
        ("fusion_la",),
    ),
    Confound(
        "The bound",
        '"Ground truth mask" is SAM given the true mask as a prompt; the fusion module is not part of it.',
        "truth_prompt is the same, and named so.",
        "refinement",
        ("truth_prompt",),
    ),
    Confound(
        "The baseline",
        'The configuration committed for the row "SAM (No Refinement)" names the tiny model and COIFT alone.',
        "sam is run with the model of all other rows.",
        methods=("sam",),
    ),
    Confound(
        "Naive baselines",
        "Neither SAM's own entropy nor the distance to the outline is reported beside the methods.",
        "sam and boundary_distance, against which every method is tested.",
        methods=("sam", "boundary_distance"),
    ),
    Confound(
        "Augmentations",
        "The text speaks of flips and resizes; code and Table 4 change colours only.",
        "Both: tta_train and tta_hue as in the code, tta_geometric with symmetries.",
        methods=("tta_train", "tta_hue", "tta_geometric"),
    ),
    Confound(
        "Test images",
        "A test image that cannot be loaded is replaced by a random other one without a word.",
        "Whatever is left out is named in the list of data; nothing is replaced.",
    ),
    Confound(
        "Data",
        "The code that splits masks and the list of images fitted on are not public; sizes of splits are not stated.",
        "Adapters for the raw sets, seeded and listed samples; differences are stated per set.",
    ),
)


def answered(confound: Confound, methods: Mapping[str, set[str]]) -> str:
    """Whether this run holds the answer: "in this run", "not in this run", or "by construction"."""
    if not confound.table and not confound.methods:
        return "by construction"
    there: Sequence[str] = sorted(set().union(*methods.values()))
    held = (not confound.table or confound.table in methods) and set(confound.methods) <= set(there)
    return "in this run" if held else "not in this run"
