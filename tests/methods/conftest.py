"""What these tests share with others."""

from method_fixtures import embedding, examples, fitted, fitted_parts, inputs, masks, model, reordered, state

__all__ = ["embedding", "examples", "fitted", "fitted_parts", "inputs", "masks", "model", "reordered", "state"]
