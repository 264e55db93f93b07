"""The paper's claims, judged: `claims.yaml` says what each asks for, this says what the numbers make of it.

A rule turns a claim into numbers that should all lie above a bound. It reproduces where every interval does; it does
not where an interval lies below; between the two this run cannot tell. Claims on named datasets need those datasets and
the paper's model. Claims on methods in general are judged on whatever photos there are, and say on which.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from uncertsam.report._evidence import ENOUGH_SETS, Estimate, Evidence, difference, mean_over, missing
from uncertsam.report._published import MODEL
from uncertsam.statistics.answers import number

Verdict = Literal["reproduces", "does not", "cannot be told here"]
YES: Verdict = "reproduces"
NO: Verdict = "does not"
UNTOLD: Verdict = "cannot be told here"
_LABELS = {"pearson": "Pearson", "brier": "Brier", "iou": "mean IoU"}
_FILE = Path(__file__).with_name("claims.yaml")
Numbers = dict[str, Estimate | None]


@dataclass(frozen=True)
class _Claim:
    """A row of `claims.yaml`, which says what its fields mean."""

    key: str
    where: str
    text: str
    rule: str
    metric: str = "iou"
    methods: list[str] = field(default_factory=list)
    sets: list[str] = field(default_factory=list)
    of: list[str] = field(default_factory=list)
    less: list[list[str]] = field(default_factory=list)
    each: list[list[str]] = field(default_factory=list)
    sum: dict[str, int] = field(default_factory=dict)
    between: list[list[str]] = field(default_factory=list)
    beyond: dict[str, int] = field(default_factory=dict)
    bound: float = 0.0
    margin: bool = False
    some: bool = False

    def bound_in(self, evidence: Evidence) -> float:
        """What the numbers should lie above."""
        return -evidence.margin if self.margin else self.bound


@dataclass(frozen=True)
class _Confound:
    """What differs, what it may do, and where the answer is: a table, or methods, or params of this project."""

    topic: str
    differs: str
    answer: str
    table: str = ""
    methods: list[str] = field(default_factory=list)


@cache
def claims() -> dict[str, _Claim]:
    """Every claim by its key, in the order of the file."""
    return {key: _Claim(key, **row) for key, row in _content()["claims"].items()}


def confounds() -> list[_Confound]:
    """Why numbers may differ, in the order of the file."""
    return [_Confound(**row) for row in _content()["confounds"]]


def _content() -> Any:
    return yaml.safe_load(_FILE.read_text(encoding="utf-8"))


def answered(confound: _Confound, methods: Mapping[str, set[str]]) -> str:
    """Whether this run holds the answer: "in this run", "not in this run", or "by construction"."""
    if not confound.table and not confound.methods:
        return "by construction"
    held = (not confound.table or confound.table in methods) and set(confound.methods) <= set().union(*methods.values())
    return "in this run" if held else "not in this run"


@dataclass(frozen=True)
class JudgedClaim:
    """A claim and what became of it. reason: why it cannot be told, or under which conditions it was judged.

    sets: the datasets that the numbers are from. numbers: what the rule asked for, with the bound.
    """

    claim: _Claim
    verdict: Verdict
    reason: str
    sets: list[str]
    numbers: dict[str, Estimate]
    bound: float

    def as_json(self) -> dict[str, Any]:
        """What `reproduction.json` holds of it."""
        numbers = {name: {key: number(value) for key, value in asdict(e).items()} for name, e in self.numbers.items()}
        about = {"where": self.claim.where, "claim": self.claim.text, "rule": self.claim.rule, "bound": self.bound}
        return about | {"verdict": self.verdict, "reason": self.reason, "sets": self.sets, "numbers": numbers}


def judge(claim: _Claim, evidence: Evidence) -> JudgedClaim:
    """One claim by its rule. What cannot decide it is still shown: numbers of worlds stand beside "cannot be told"."""
    sets, bound = _sets(claim, evidence), claim.bound_in(evidence)
    asked = _numbers(claim, evidence, sets) if sets else {}
    numbers = {name: estimate for name, estimate in asked.items() if estimate is not None}
    obstacle = _obstacle(claim, evidence) or (
        "not every number of the rule was measured" if len(numbers) < len(asked) else ""
    )
    if obstacle:
        return JudgedClaim(claim, UNTOLD, obstacle, sets, numbers, bound)
    verdict = settled(list(numbers.values()), bound, claim.some)
    reason = _conditions(claim, evidence) if verdict != UNTOLD else "the intervals reach to both sides: n too small"
    return JudgedClaim(claim, verdict, reason, sets, numbers, bound)


def settled(numbers: Sequence[Estimate], bound: float, some: bool = False) -> Verdict:
    """All above the bound (with `some`: one): reproduces. One surely not (with `some`: all): does not. Else untold."""
    sides = [estimate.above(bound) for estimate in numbers]
    if not sides:
        return UNTOLD
    if any(sides) if some else all(sides):
        return YES
    fails = [side is False for side in sides]
    return NO if (all(fails) if some else any(fails)) else UNTOLD


def _numbers(claim: _Claim, evidence: Evidence, sets: Sequence[str]) -> Numbers:
    """What the rule asks for, on some datasets by name."""
    if claim.each:
        evidence = replace(evidence, alpha=evidence.alpha / len(sets))
    found: Numbers = {
        f"{_LABELS[claim.metric]}{name}": evidence.estimate(claim.metric, weights)
        for name, weights in _weights(claim, sets)
    }
    for place, (name, least) in enumerate(claim.beyond.items()):
        beyond = float(sum(evidence.sizes[s][place] for s in sets if s in evidence.sizes) - least)
        found[f"{name} beyond {least}"] = Estimate(beyond, beyond, beyond)
    return found


def _weights(claim: _Claim, sets: Sequence[str]) -> Iterator[tuple[str, dict[tuple[str, str], float]]]:
    """The numbers of `claims.yaml` by name, as weights for `Evidence.estimate`."""
    for method in claim.of:
        yield f", {method}", mean_over(sets, {method: 1.0})
    for first, second in claim.less:
        yield f", {first} less {second}", difference(sets, first, second)
    for first, second in claim.each:
        yield from ((f", {first} less {second}, {name}", difference([name], first, second)) for name in sets)
    if claim.sum:
        told = " ".join(f"{weight:+g} {method}" for method, weight in claim.sum.items())
        yield f", {told}", mean_over(sets, {method: float(weight) for method, weight in claim.sum.items()})
    for left, right in ((a, b) for first, second in [claim.between or ((), ())] for a in first for b in second):
        yield f" of sam, {left} less {right}", {(left, "sam"): 1.0, (right, "sam"): -1.0}


def _sets(claim: _Claim, evidence: Evidence) -> list[str]:
    """The datasets that the numbers come from: those that the claim names, or the photos, or failing these worlds."""
    if claim.sets:
        return list(claim.sets) if set(claim.sets) <= set(evidence.published) else []
    return evidence.photos or evidence.tested


def _obstacle(claim: _Claim, evidence: Evidence) -> str:
    """Why the rule cannot be applied; "" where it can."""
    reasons = []
    if not evidence.photos:
        reasons.append("synthetic data" if evidence.tested else "n too small")
    elif claim.sets:
        lost = missing(claim.sets, evidence.published)
        reasons += [f"not in this run: {', '.join(lost)}"] * bool(lost)
    elif len(evidence.photos) < ENOUGH_SETS:
        reasons.append(f"n too small: {len(evidence.photos)} datasets of photos with true labels")
    if not evidence.same_model and claim.methods and (claim.sets or not evidence.photos):
        reasons.append(f"another model: {evidence.model} instead of {MODEL}")
    lost = missing(claim.methods, evidence.methods("results"))
    reasons += [f"not run: {', '.join(lost)}"] * bool(lost)
    return "; ".join(reasons)


def _conditions(claim: _Claim, evidence: Evidence) -> str:
    """What is not as in the paper though the claim was judged."""
    other = [name for name in evidence.photos if name not in evidence.published] if not claim.sets else []
    found = [f"on {len(other)} datasets that are not the paper's"] * bool(other)
    found += [f"with {evidence.model} instead of {MODEL}"] * (not evidence.same_model and bool(claim.methods))
    return ", ".join(found)
