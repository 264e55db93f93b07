"""Experiment tracking: MLflow is a view of what DVC proves, never a condition for running.

    with tracking.stage("predict", params, method="laplace", dataset="soft_shadows") as run:
        run.metrics({"iou": 0.81})
        run.figure(Path("reports/figures/radar.svg"))

A stage only writes its run into a spool folder (milliseconds, no MLflow import); `send` hands the spool to the
MLflow store and `rebuild` makes the whole view again from `reports/` and `dvc.lock`.
"""

from uncertsam.tracking.place import default_uri, repository_root
from uncertsam.tracking.rebuild import rebuild
from uncertsam.tracking.run import Run, stage
from uncertsam.tracking.send import Sent, send

__all__ = ["Run", "Sent", "default_uri", "rebuild", "repository_root", "send", "stage"]
