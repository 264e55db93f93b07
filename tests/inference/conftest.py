"""What these tests share with others."""

from method_fixtures import embedding, examples, fitted, fitted_parts, inputs, masks, model, reordered, state
from predictor_fixtures import golden_split, nano, sections

__all__ = [
    "embedding",
    "examples",
    "fitted",
    "fitted_parts",
    "golden_split",
    "inputs",
    "masks",
    "model",
    "nano",
    "reordered",
    "sections",
    "state",
]
