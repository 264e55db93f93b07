"""Profiles: whole parameter files to start from; `folder` is filled in with what it finds under a root."""

from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from uncertsam.base.errors import UserError
from uncertsam.base.files import refuse_odd_names, written_aside
from uncertsam.config.sections import check_dataset_names

FOLDER = "folder"


def names(profiles: Path) -> list[str]:
    """The profiles there are."""
    return sorted(path.stem for path in profiles.glob("*.yaml"))


def use(name: str, profiles: Path, target: Path, root: Path | None = None, fit_on: str | None = None) -> list[str]:
    """Write a profile to `target` (params.yaml) and return the names of its datasets.

    `folder` takes every sub-folder of `root` with images/ and masks/ as a dataset. Raises UserError on an unknown
    profile, and where `root` is missing or of no use.
    """
    if not profiles.is_dir():
        raise UserError(f"There is no folder {profiles}.", "Change to a checkout's root.")
    path = profiles / f"{name}.yaml"
    if not path.is_file():
        raise UserError(f"There is no profile {name!r}.", f"Choose one of {', '.join(names(profiles))}.")
    if (name == FOLDER) != (root is not None):
        need = "needs --root DIR" if name == FOLDER else "takes no --root"
        raise UserError(f"The profile {name!r} {need}.", "For your own images: uncertsam use folder --root DIR")
    text = path.read_text(encoding="utf-8")
    yaml = YAML()  # the round-trip reader keeps the comments
    yaml.width = 120
    values = yaml.load(text)
    if root is not None:
        _fill(values, root, fit_on)
        filled = StringIO()
        yaml.dump(values, filled)
        text = filled.getvalue()
    with written_aside(target) as aside:
        aside.write_text(text, encoding="utf-8")
    return list(values["datasets"])


def _fill(values: Any, root: Path, fit_on: str | None) -> None:
    """Enter the datasets found under `root`; everything is fitted on one of them, or on the synthetic stand-in.

    The profile's `discovered` section says how a found dataset is described, by default and by name. Sets of NIfTI
    volumes are recognised by their files; scans that lie beside their slices become a set of their own.
    """
    from uncertsam.data.raw.adapters.folder import adapter_of, discover

    refuse_odd_names(root)
    rules, found = values.pop("discovered"), discover(root)
    known = {name: _known(rules["known"].get(name), folder) for name, folder in found.items()}
    chosen = fit_on or next((name for name in rules["fit_preferred"] if known.get(name)), None)
    check_dataset_names(list(found), str(root), "Rename the folder.")
    if rules["fit_fallback"] in found:
        raise UserError(f"{found[rules['fit_fallback']]} is named as the set to fit on.", "Rename the folder.")
    if fit_on and fit_on not in found:
        raise UserError(f"{root} has no dataset {fit_on!r} to fit on.", f"Found: {', '.join(found)}.")
    for name, folder in found.items():
        division = known[name].pop("division", None)
        split = rules["divisions"][division] if division else rules["fit_split"] if name == chosen else rules["split"]
        adapter = known[name].pop("adapter", adapter_of(folder) or FOLDER)
        values["data"][name] = _entry(folder, adapter, known[name], split)
        scans = _known(rules["volumes"].get(name), folder)
        if scans:
            if f"{name}_volumes" in found:
                both = f"{found[f'{name}_volumes']} and the volumes of {folder} would both be named {name}_volumes"
                raise UserError(f"{both}.", "Rename the first folder.")
            values["data"][f"{name}_volumes"] = _entry(folder, "nifti", scans, rules["split"])
    if chosen is None:
        chosen = rules["fit_fallback"]
    else:
        del values["data"][rules["fit_fallback"]]
    for part in ("fit", "combined_fitted", "train_variance", "train_fusion"):
        values[part]["dataset"] = chosen
    values["control"]["calibrate"] = chosen
    values["datasets"] = [name for name in values["data"] if name != rules["fit_fallback"]]


def _entry(folder: Path, adapter: str, options: dict[str, Any], split: Any) -> dict[str, Any]:
    return {
        "acquire": "local", "source": str(folder), "options": {}, "adapter": adapter, "adapter_options": options,
        "split": {**split},
    }  # fmt: skip


def _known(rule: Any, folder: Path) -> dict[str, Any]:
    """The options of a set that we know, recognised by a file that it holds: a name alone tells nothing."""
    if rule is None or not (folder / rule["holds"]).is_file():
        return {}
    return {key: value for key, value in rule.items() if key != "holds"}
