"""A fitted or trained part, logged as an MLflow model, loads back and answers as the part itself does."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from uncertsam.experiments.refinement.fusion import EVERY, Fusion, build_fusion
from uncertsam.experiments.refinement.fusion import save as save_fusion
from uncertsam.methods.usam.heads import Heads, head_names
from uncertsam.methods.usam.heads import save as save_heads
from uncertsam.methods.variance.network import build_network
from uncertsam.methods.variance.network import save as save_variance
from uncertsam.models.checkpoints import load_model
from uncertsam.tracking._place import sqlite_file, sqlite_uri
from uncertsam.tracking._record import Group, Record, write
from uncertsam.tracking._send import send
from uncertsam.tracking.models import Part, keep, pack

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def model():
    weights = Path(__file__).resolve().parents[2] / "checkpoints" / "sam2_nano.safetensors"
    return load_model("sam2_nano", weights, torch.device("cpu"))


@pytest.fixture
def fusion(model, tmp_path) -> tuple[Part, Fusion]:
    module = build_fusion(model, "faithful", 3)
    weights, facts = {EVERY: module.state_dict()}, {EVERY: {"data": {"discs": "ab"}}}
    save_fusion(tmp_path / "fusion", "la", model, {"token": 0}, weights, facts, weights)
    return Part("la_best", tmp_path / "fusion", "fusion.safetensors", EVERY), module


def loaded(part: Part, folder: Path):
    from mlflow.pyfunc import load_model as load_mlflow

    keep(part, folder / "kept")
    pack(folder / "kept", folder / "packed")
    return load_mlflow(str(folder / "packed"))


def test_a_fusion_module_answers_from_mlflow_as_in_the_pipeline(model, fusion, tmp_path):
    part, module = fusion
    mask, doubt = torch.randn(2, model.width, 4, 4), torch.rand(2, 1, 16, 16)
    found = loaded(part, tmp_path).predict({"mask": mask.numpy(), "uncertainty": doubt.numpy()})
    with torch.inference_mode():
        assert np.allclose(found, module(mask, doubt).numpy(), atol=1e-6)


def test_a_variance_network_answers_from_mlflow_as_in_the_pipeline(model, tmp_path):
    network = build_network(model, "all", 1)
    other = build_network(model, "all", 2)
    save_variance(tmp_path / "v", model, network.state_dict(), other.state_dict(), {"token": "all"}, {"discs": "ab"})
    width = model.width
    source, tokens = torch.randn(1, width, 4, 4), torch.randn(1, 4, width)
    given = {"source": source.numpy(), "tokens": tokens.numpy()}
    for name, mine in (("best", network), ("last", other)):
        part = Part(name, tmp_path / "v", f"{name}.safetensors")
        with torch.inference_mode():
            assert np.allclose(loaded(part, tmp_path / name).predict(given), mine(source, tokens).numpy(), atol=1e-6)


def test_usams_heads_answer_from_mlflow_as_in_the_pipeline(model, tmp_path):
    heads = Heads(head_names(["nano"], "deployable"), 2 * model.width).draw(0)
    save_heads(tmp_path / "usam", heads, model, "deployable", {"params": {}})
    latent = torch.randn(5, 2 * model.width)
    found = loaded(Part("usam", tmp_path / "usam", "heads.safetensors"), tmp_path).predict({"latent": latent.numpy()})
    assert np.allclose(found, torch.stack([*heads.read(latent).values()], 1).numpy(), atol=1e-6)


def test_the_signature_names_the_inputs_and_refuses_others(fusion, tmp_path):
    from mlflow.exceptions import MlflowException

    found = loaded(fusion[0], tmp_path)
    assert found.metadata.signature.inputs.input_names() == ["mask", "uncertainty"]
    with pytest.raises(MlflowException, match="uncertainty"):
        found.predict({"mask": np.zeros((1, 2, 4, 4), np.float32)})


def test_a_sent_model_is_registered_once_and_loads_from_its_run(fusion, tmp_path, monkeypatch):
    """In a folder whose name means something else in a URL, and beside which nothing may appear."""
    import mlflow

    home = tmp_path / "around" / "50%3F sure? #1 + ä"
    home.mkdir(parents=True)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.setenv(name, sqlite_uri(home / "mlflow.db"))
    record = Record("1-a", "train_fusion/fusion_la", "uncertsam", 1, 2, parent=Group("g", "repro"))
    for _ in range(2):  # as if the first sending had been cut off after the model
        write(home, record, {}, [fusion[0]])
        assert send(home).problem == ""
    assert [*home.parent.iterdir()] == [home] and (home / "mlflow.db").is_file()
    client = mlflow.MlflowClient()
    versions = client.search_model_versions("name = 'uncertsam.train_fusion.la_best'")
    assert len(versions) == 1
    assert mlflow.pyfunc.load_model(f"runs:/{versions[0].run_id}/models/la_best").metadata.signature is not None


def test_a_part_that_is_not_there_is_refused(tmp_path):
    from uncertsam.tracking._run import Run

    with pytest.raises(FileNotFoundError):
        Run("train_variance", {}).model(Part("best", tmp_path, "best.safetensors"))


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1))
def test_a_path_becomes_a_url_and_comes_back(name):
    from sqlalchemy import make_url

    path = Path("/root") / name
    uri = sqlite_uri(path)
    assert sqlite_file(uri) == path == Path(make_url(uri).database)
