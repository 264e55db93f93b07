"""All answers of a session as one archive: what `Prediction.save` writes, a folder per method."""

import tempfile
import zipfile
from pathlib import Path

from uncertsam.app.demo.session import Session
from uncertsam.base.errors import UserError

NAME = "uncertsam_results.zip"


def packed(session: Session, folder: Path) -> Path:
    """Write the archive into a new folder within `folder`. Raises UserError where there is no answer."""
    if not session.answers:
        raise UserError("There is nothing to download yet.", "Draw a box or click first.")
    target = Path(tempfile.mkdtemp(dir=folder)) / NAME
    with tempfile.TemporaryDirectory(dir=folder) as scratch, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for name, answer in session.answers.items():
            for path in answer.save(Path(scratch) / name).values():
                out.write(path, f"{name}/{path.name}")
    return target
