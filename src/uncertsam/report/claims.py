"""What the paper says (arXiv 2512.23427), each with the rule that decides here whether it reproduces.

A rule turns a claim into numbers that should all lie above a bound. It reproduces where every interval does; it does
not where an interval lies below; between the two this run cannot tell. Claims on named datasets need those datasets and
the paper's model. Claims on methods in general are judged on whatever photos there are, and say on which.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from uncertsam.report.evidence import Estimate, Evidence, difference, mean_over

PAPERS = ("tta_train", "tta_hue", "prompt", "laplace", "variance_logvar")  # its methods; logvar is its code's U
SHIFTED = ("ISTD", "SBU-shadow", "Flare7K", "Trans10K")
FINE = ("BIG", "COIFT")
ALL = (*FINE, "COD10K-v3", "MSD_Spleen", *SHIFTED)
GAP = 0.05  # IoU: a gap to the bound that still counts as large; the smallest printed one on the four sets is 0.084
HIGH = 0.5  # the correlation that the paper calls high
IMAGES, MASKS = 23_000, 44_000

Asked = dict[str, Estimate | None]


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, the rule in words, and the numbers that the rule asks for.

    table: where they come from. methods: that they need. sets: datasets that the claim names; none: any photos.
    ask: the numbers on some datasets by name; `bound` gives what they should lie above. some: one of them is enough.
    """

    key: str
    where: str
    text: str
    rule: str
    table: str
    methods: tuple[str, ...]
    ask: Callable[[Evidence, Sequence[str]], Asked]
    bound: Callable[[Evidence], float] = lambda evidence: 0.0
    sets: tuple[str, ...] = ()
    some: bool = False


def _above_others(best: str, others: Sequence[str], sign: float = 1.0) -> Callable[[Evidence, Sequence[str]], Asked]:
    """Pearson of `best` less that of each other; sign -1: each other less `best`."""

    def ask(evidence: Evidence, sets: Sequence[str]) -> Asked:
        pairs = {other: (best, other) if sign > 0 else (other, best) for other in others}
        return {
            f"Pearson, {first} less {second}": evidence.estimate("results", "pearson", difference(sets, first, second))
            for first, second in pairs.values()
        }

    return ask


def _overlap(**weights: float) -> Callable[[Evidence, Sequence[str]], Asked]:
    """The mean over datasets of a sum of mean IoUs."""
    name = "mean IoU, " + " ".join(f"{weight:+g} {method}" for method, weight in weights.items())

    def ask(evidence: Evidence, sets: Sequence[str]) -> Asked:
        return {name: evidence.estimate("refinement", "iou", mean_over(sets, weights))}

    return ask


def _correlations(evidence: Evidence, sets: Sequence[str]) -> Asked:
    return {f"Pearson, {m}": evidence.estimate("results", "pearson", mean_over(sets, {m: 1.0})) for m in PAPERS}


def _brier(evidence: Evidence, sets: Sequence[str]) -> Asked:
    """Both signs of each difference to SAM: within a margin is above minus the margin, twice."""
    pairs = [pair for m in PAPERS for pair in ((m, "sam"), ("sam", m))]
    return {
        f"Brier, {first} less {second}": evidence.estimate("results", "brier", difference(sets, first, second))
        for first, second in pairs
    }


def _each_set(evidence: Evidence, sets: Sequence[str]) -> Asked:
    """LA + U less SAM on each dataset, each with an interval wide enough for so many looks (Bonferroni)."""
    careful = replace(evidence, alpha=evidence.alpha / max(1, len(sets)))
    return {
        f"mean IoU, fusion_la less sam, {name}": careful.estimate(
            "refinement", "iou", difference([name], "fusion_la", "sam")
        )
        for name in sets
    }


def _bound_less_arms(evidence: Evidence, sets: Sequence[str]) -> Asked:
    arms = ("fusion_sam_ones", "fusion_la_ones", "fusion_la")
    return {
        f"mean IoU, truth_prompt less {arm}": evidence.estimate(
            "refinement", "iou", difference(sets, "truth_prompt", arm)
        )
        for arm in arms
    }


def _fine_less_shifted(evidence: Evidence, sets: Sequence[str]) -> Asked:
    return {
        f"mean IoU of sam, {fine} less {shifted}": evidence.estimate(
            "results", "iou", {(fine, "sam"): 1.0, (shifted, "sam"): -1.0}
        )
        for fine in FINE
        for shifted in SHIFTED
    }


def _sizes(evidence: Evidence, sets: Sequence[str]) -> Asked:
    """Counted, not estimated: no interval, so the number is its own."""
    counts = {"images": IMAGES, "masks": MASKS}
    found = {
        name: sum(evidence.sizes[s][place] for s in sets if s in evidence.sizes) for place, name in enumerate(counts)
    }
    return {f"{name} beyond {least}": _exactly(float(found[name] - least)) for name, least in counts.items()}


def _exactly(value: float) -> Estimate:
    return Estimate(value, value, value)


def _margin(evidence: Evidence) -> float:
    return -evidence.margin


def _constant(value: float) -> Callable[[Evidence], float]:
    return lambda evidence: value


OVER = "the mean over datasets"
CLAIMS: tuple[Claim, ...] = (
    Claim(
        "laplace_aligns_best", "Abstract; Section 3; Fig. 3",
        "Of its uncertainties, that of the Laplace approximation follows the error most closely.",
        f"Pearson of laplace less that of each other method of the paper, {OVER}: all above 0.",
        "results", PAPERS, _above_others("laplace", [m for m in PAPERS if m != "laplace"]),
    ),
    Claim(
        "correlation_is_high", "Section 3; Fig. 3",
        f"Uncertainty and error correlate well with every method: ρ > {HIGH}.",
        f"Pearson of each method of the paper, {OVER}: all above {HIGH}.",
        "results", PAPERS, _correlations, _constant(HIGH),
    ),
    Claim(
        "variance_network_is_lowest", "Section 3; Fig. 3",
        "The variance network has the lowest correlation.",
        f"Pearson of each other method of the paper less that of variance_logvar, {OVER}: all above 0.",
        "results", PAPERS, _above_others("variance_logvar", [m for m in PAPERS if m != "variance_logvar"], -1.0),
    ),
    Claim(
        "brier_is_comparable", "Section 3; Appendix F; Fig. 6",
        "Brier scores are comparable across the methods, and low.",
        f"Brier of each method of the paper less that of sam, {OVER}: all within the margin (answers.margin).",
        "results", ("sam", *PAPERS), _brier, _margin,
    ),
    Claim(
        "fine_sets_are_strong", "Appendix A",
        "On BIG and COIFT, in-domain but fine-grained, SAM is strong as it is.",
        "Mean IoU of sam on either of the two less that on each of ISTD, SBU, Flare and Trans: all above 0.",
        "results", ("sam",), _fine_less_shifted, sets=(*FINE, *SHIFTED),
    ),
    Claim(
        "ensemble_improves", "Section 3; Appendix A; Table 1",
        "Refining Laplace's mean prediction does better than refining SAM's, on the shifted sets above all.",
        "Mean IoU of fusion_la_ones less that of fusion_sam_ones, the mean over ISTD, SBU, Flare and Trans: above 0.",
        "refinement", ("fusion_la_ones", "fusion_sam_ones"), _overlap(fusion_la_ones=1.0, fusion_sam_ones=-1.0),
        sets=SHIFTED,
    ),
    Claim(
        "refinement_beats_sam", "Section 3; Table 1",
        "With Laplace's prediction, refinement beats SAM without it on the shifted sets.",
        "Mean IoU of fusion_la less that of sam, the mean over ISTD, SBU, Flare and Trans: above 0.",
        "refinement", ("fusion_la", "sam"), _overlap(fusion_la=1.0, sam=-1.0), sets=SHIFTED,
    ),
    Claim(
        "uncertainty_adds_nothing", "Section 3; Appendix A; Table 1",
        "Fusing the uncertainty map is no better than fusing a map of ones.",
        f"Mean IoU of fusion_la_ones less that of fusion_la, {OVER}: above minus the margin (answers.margin).",
        "refinement", ("fusion_la_ones", "fusion_la"), _overlap(fusion_la_ones=1.0, fusion_la=-1.0), _margin,
    ),
    Claim(
        "gain_is_the_ensemble", "Appendix A",
        "What is gained comes from the averaged prediction, not from the uncertainty map.",
        "The gain of Laplace's prediction (fusion_la_ones less fusion_sam_ones) less the gain of the map (fusion_la "
        "less fusion_la_ones), in mean IoU, the mean over ISTD, SBU, Flare and Trans: above 0.",
        "refinement", ("fusion_la_ones", "fusion_sam_ones", "fusion_la"),
        _overlap(fusion_la_ones=2.0, fusion_sam_ones=-1.0, fusion_la=-1.0), sets=SHIFTED,
    ),
    Claim(
        "gap_to_the_truth", "Appendix A; Table 1",
        "On the shifted sets the distance to the bound, SAM given the true mask, stays large.",
        f"Mean IoU of truth_prompt less that of each arm, the mean over ISTD, SBU, Flare and Trans: above {GAP}.",
        "refinement", ("truth_prompt", "fusion_sam_ones", "fusion_la_ones", "fusion_la"), _bound_less_arms,
        _constant(GAP), sets=SHIFTED,
    ),
    Claim(
        "small_gains_in_part", "Section 1; Conclusion",
        "Refinement by uncertainty gains a little on some sets, without training on their domain.",
        "Mean IoU of fusion_la less that of sam, dataset by dataset, intervals widened for so many looks: one above 0.",
        "refinement", ("fusion_la", "sam"), _each_set, some=True,
    ),
    Claim(
        "benchmark_size", "Section 2",
        f"The eight sets hold more than {IMAGES:,} images and {MASKS:,} masks.",
        "Images and masks over all splits of the eight sets: both above.",
        "results", (), _sizes, sets=ALL,
    ),
)  # fmt: skip
BY_KEY: Mapping[str, Claim] = {claim.key: claim for claim in CLAIMS}
