"""A wrong parameter is one sentence that names its key and what is allowed, and nothing is written."""

from pathlib import Path

import pytest
from spoiling import Case, holds, lost, param, refused

PARAMS: dict[str, Case] = {
    "base": ("encode", param("base", "sed", 1), ("base.sed", "'seed'")),
    "no threads": ("encode", param("base", "threads", 0), ("base.threads", "greater than 0")),
    "no such model": ("encode", param("base", "model", "sam3"), ("base.model", "'sam3'", "sam2_nano")),
    "a model without weights": ("encode", param("models", "sam2_nano", 3), ("models.sam2_nano", "path")),
    "data": ("acquire", param("data.cats", "sauce", 1), ("data.cats.sauce", "'source'")),
    "options": ("acquire", param("data.cats", "options", 3), ("data.cats.options", "dictionary")),
    "adapter": ("preprocess", param("data.cats", "adapter", "folders"), ("'folders'", "Those that exist")),
    "adapter_options": ("preprocess", param("data.cats.adapter_options", "kid", 1), ("'kid'", "kind")),
    "split": ("preprocess", param("split", "nearby", 1), ("split.nearby", "'near'")),
    "fractions": ("preprocess", param("data.cats.split", "tests", 1), ("'tests'", "pretrain, fit")),
    "subset": ("subset", param("subset.few", "image", {}), ("subset.few.image", "'images'")),
    "split of a subset": ("subset", param("subset.few", "images", {"fits": 1}), ("'fits'", "fit, test")),
    "encode": ("encode", param("encode", "batches", 1), ("encode.batches", "'batch'")),
    "no batch": ("encode", param("encode", "batch", 0), ("encode.batch", "greater than 0")),
    "fit": ("fit_laplace", param("fit", "datasets", "cats"), ("fit.datasets", "'dataset'")),
    "no such set to fit on": ("fit_laplace", param("fit", "dataset", "dogs"), ("fit.dataset", "'dogs'")),
    "predict": ("predict", param("predict", "split", "fit"), ("predict.split", "'calibrate' or 'test'")),
    "a method": ("predict", param("methods.sam", "tokens", 1), ("methods.sam.tokens", "'token'")),
    "fit_laplace": ("fit_laplace", param("fit_laplace", "steps", "many"), ("fit_laplace.steps", "integer")),
    "fit_combination": ("fit_combination", param("fit_combination", "view", 1), ("fit_combination.view", "'views'")),
    "datasets": ("tabulate", param("", "datasets", "cats"), ("datasets", "[NAME, ...]")),
    "no such dataset": ("tabulate", param("", "datasets", ["dogs"]), ("datasets", "'dogs'", "cats")),
    "no such method": ("tabulate", param("methods", "sma", {}), ("methods", "'sma'", "'sam'")),
    "a method that is null": ("tabulate", param("methods", "sam", None), ("methods.sam", "dictionary")),
    "methods as a list": ("tabulate", param("", "methods", ["sam"]), ("methods", "dictionary")),
    "tabulate": ("tabulate", param("tabulate", "resamples", -1), ("tabulate.resamples", "greater than 0")),
    "pretrain": ("measure", param("pretrain", "text", 1), ("pretrain.text", "'textures'")),
    "a source of pretrain": ("measure", param("pretrain.sources.panda", "shar", 1), ("pretrain.sources", "shar")),
    "no clicks": ("click", param("clicking", "clicks", 0), ("clicking.clicks", "greater than 0")),
    "no promise": ("guarantee", param("guarantees", "alphas", []), ("guarantees.alphas", "at least 1")),
    "a promise": ("guarantee", param("guarantees", "alpha", 0.1), ("guarantees.alpha", "'alphas'")),
    "tracking": ("measure", param("tracking", "enable", True), ("tracking.enable", "'enabled'")),
    "a section": ("measure", param("", "trakcing", {}), ("'trakcing'", "'tracking'")),
    "a number as a section": ("measure", param("", "tracking", 3), ("tracking", "dictionary")),
    "no YAML": ("measure", holds("params.yaml", "a: [1,\nb: }"), ("params.yaml is not YAML", "line 2", "Correct")),
    "no text": ("measure", holds("params.yaml", b"a: \xff\xfe"), ("params.yaml is not YAML", "Correct")),
    "no sections": ("measure", holds("params.yaml", "- 1"), ("params.yaml", "uncertsam use demo")),
    "no file": ("measure", lost("params.yaml"), ("params.yaml", "checkout's root")),
}


@pytest.mark.parametrize("case", PARAMS)
def test_a_wrong_parameter_is_named_with_its_mend(begun: Path, case: str) -> None:
    name, spoil, says = PARAMS[case]
    spoil()
    refused(name, *says)
