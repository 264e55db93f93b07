"""A self-contained HTML page from a template beside this file or in an experiment; they share `page.html.j2`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uncertsam.experiments
from uncertsam.base.files import written_aside


def render(template: str, out: Path, contents: Mapping[str, Any]) -> None:
    """Write the page, whole or not at all. Text is escaped; a name that a template lacks is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = FileSystemLoader([Path(__file__).parent, Path(uncertsam.experiments.__path__[0])])
    page = Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = page.get_template(template).render(contents)
    with written_aside(out) as aside:
        aside.write_text(text, encoding="utf-8")
