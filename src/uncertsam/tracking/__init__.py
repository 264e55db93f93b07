"""Experiment tracking: MLflow is a view of what DVC proves, never a condition for running.

    with tracking.stage("predict", params, method="laplace", dataset="soft_shadows") as run:
        run.metrics({"iou": 0.81})
        run.figure(Path("reports/figures/radar.svg"))

A stage only writes its run into a spool folder (milliseconds, no MLflow import); `send` hands the spool to the
MLflow store and `rebuild` makes the whole view again from `reports/` and `dvc.lock`.
"""

from uncertsam.tracking._place import default_uri, read_params, read_settings, repository_root, sqlite_file
from uncertsam.tracking._rebuild import rebuild
from uncertsam.tracking._record import SPOOL
from uncertsam.tracking._run import Run, stage
from uncertsam.tracking._send import Sent, send
from uncertsam.tracking.models import Part

__all__ = [
    "SPOOL",
    "Part",
    "Run",
    "Sent",
    "default_uri",
    "read_params",
    "read_settings",
    "rebuild",
    "repository_root",
    "send",
    "sqlite_file",
    "stage",
]
