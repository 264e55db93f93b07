"""Verdicts on the paper's claims, by their rules."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from uncertsam.report.claims import CLAIMS, Claim
from uncertsam.report.evidence import ENOUGH_SETS, Estimate, Evidence, missing
from uncertsam.report.published import MODEL
from uncertsam.statistics.answers import number

Verdict = Literal["reproduces", "does not", "cannot be told here"]
YES: Verdict = "reproduces"
NO: Verdict = "does not"
UNTOLD: Verdict = "cannot be told here"


@dataclass(frozen=True)
class JudgedClaim:
    """A claim and what became of it. reason: why it cannot be told, or under which conditions it was judged.

    sets: the datasets that the numbers are from. numbers: what the rule asked for, with the bound.
    """

    claim: Claim
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


def findings(evidence: Evidence) -> list[JudgedClaim]:
    """Every claim, judged."""
    return [judge(claim, evidence) for claim in CLAIMS]


def judge(claim: Claim, evidence: Evidence) -> JudgedClaim:
    """One claim by its rule. What cannot decide it is still shown: numbers of worlds stand beside "cannot be told"."""
    sets, bound = _sets(claim, evidence), claim.bound(evidence)
    asked = claim.ask(evidence, sets) if sets and claim.table in evidence.tables else {}
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


def _sets(claim: Claim, evidence: Evidence) -> list[str]:
    """The datasets that the numbers come from: those that the claim names, or the photos, or failing these worlds."""
    if claim.sets:
        return list(claim.sets) if set(claim.sets) <= set(evidence.published) else []
    return evidence.photos or evidence.tested


def _obstacle(claim: Claim, evidence: Evidence) -> str:
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
    if claim.table not in evidence.tables:
        reasons.append(f"there is no {claim.table}.parquet")
    else:
        lost = missing(claim.methods, evidence.methods(claim.table))
        reasons += [f"not run: {', '.join(lost)}"] * bool(lost)
    return "; ".join(reasons)


def _conditions(claim: Claim, evidence: Evidence) -> str:
    """What is not as in the paper though the claim was judged."""
    other = [name for name in evidence.photos if name not in evidence.published] if not claim.sets else []
    found = [f"on {len(other)} datasets that are not the paper's"] * bool(other)
    found += [f"with {evidence.model} instead of {MODEL}"] * (not evidence.same_model and bool(claim.methods))
    return ", ".join(found)
