"""The shipped model, the golden pictures, and a posterior fitted on them."""

from pathlib import Path

import pytest
import torch
import yaml

from uncertsam.config.training import FitLaplace
from uncertsam.data.format import Split, read_split
from uncertsam.methods.posterior.examples import read_examples
from uncertsam.methods.posterior.fit import fit
from uncertsam.methods.posterior.state import save
from uncertsam.models.checkpoints import load_model
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.store import StreamedEmbeddings
from uncertsam.predictor import UncertaintyPredictor

REPOSITORY = Path(__file__).parents[1]
WEIGHTS = REPOSITORY / "checkpoints" / "sam2_nano.safetensors"


@pytest.fixture(scope="session")
def nano() -> PromptableModel:
    return load_model("sam2_nano", WEIGHTS, torch.device("cpu"))


@pytest.fixture
def weights_file() -> Path:
    return WEIGHTS


@pytest.fixture(scope="session")
def golden_split() -> Split:
    return read_split(REPOSITORY / "data" / "golden")


@pytest.fixture(scope="session")
def sections() -> dict:
    """The demo's parameters, whatever profile is current; with few samples."""
    methods = yaml.safe_load((REPOSITORY / "profiles" / "demo.yaml").read_text())["methods"]
    return methods | {"laplace": methods["laplace"] | {"samples": 50}}


@pytest.fixture(scope="session")
def fitted_parts(nano, golden_split, tmp_path_factory) -> Path:
    """A folder of fitted parts."""
    folder, knobs = tmp_path_factory.mktemp("fitted"), FitLaplace(resolution=64, prior_precision=1.0)
    store = StreamedEmbeddings(nano, torch.float32)
    save(fit(nano, read_examples(nano, store, golden_split, knobs, 0, "golden"), knobs), folder / "laplace", {})
    return folder


@pytest.fixture(scope="session")
def picture(golden_split) -> Path:
    """The file of the first picture."""
    return golden_split.root / "images" / next(iter(golden_split)).file_name


@pytest.fixture
def predictor(nano, sections, fitted_parts, picture) -> UncertaintyPredictor:
    """Ready to be asked about the first picture."""
    made = UncertaintyPredictor(nano, fitted=fitted_parts, params=sections)
    made.set_image(picture)
    return made
