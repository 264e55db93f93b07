"""Identify: which network a file of weights holds, so that its embeddings are made anew when the file changes."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.base.files import write_json
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config


def main(model: str, out: Path) -> None:
    """Load the weights of one model and write down its name and their SHA-256."""
    import torch

    from uncertsam.models.checkpoints import load_model

    weights = Config.read().model_named(model).weights
    with tracking.stage("identify", {"model": model}):
        digest = load_model(model, weights, torch.device("cpu")).digest
        write_json(out, {"name": model, "sha256": digest})
    print(f"{weights} holds {model}, SHA-256 {digest[:12]}")


if __name__ == "__main__":
    run_stage(main)
