"""What these tests share with others."""

from predictor_fixtures import fitted_parts, golden_split, nano, picture, predictor, sections, weights_file

__all__ = ["fitted_parts", "golden_split", "nano", "picture", "predictor", "sections", "weights_file"]
