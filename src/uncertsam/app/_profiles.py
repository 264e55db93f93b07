"""Profiles: `demo` is a whole params.yaml, the others say what differs; `folder` is filled in with what it finds."""

from collections.abc import Collection
from io import StringIO
from itertools import takewhile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.tokens import CommentToken

from uncertsam.base.errors import UserError
from uncertsam.base.files import refuse_odd_names, written_aside
from uncertsam.config.sections import check_dataset_names

DEFAULT, FOLDER = "demo", "folder"
COLUMN = 23  # of most comments
OWN = ("data", "subset", "models")  # sections whose entries no profile shares with another


class _Nulls(RoundTripRepresenter):
    """Writes null, where ruamel would leave the place empty."""

    def represent_none(self, data: None) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:null", "null")


_Nulls.add_representer(type(None), _Nulls.represent_none)


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
    values = complete(name, profiles)
    if root is not None:
        _fill(values, root, fit_on)
    text = path.read_text(encoding="utf-8")
    with written_aside(target) as aside:
        aside.write_text(text if name == DEFAULT else _heading(text) + _dumped(values), encoding="utf-8")
    return list(values["datasets"])


def complete(name: str, profiles: Path) -> Any:
    """A profile as params.yaml will hold it, comments kept: what its file says, laid over the default.

    Entries with names of their own (`OWN`) are the profile's alone; so is every list. A method that is null there is
    left out. Raises UserError where
    a file is no YAML.
    """
    values = _read(profiles / f"{DEFAULT}.yaml")
    if name != DEFAULT:
        _lay(values, _read(profiles / f"{name}.yaml"), whole=OWN)
        for method in [method for method, knobs in values["methods"].items() if knobs is None]:
            del values["methods"][method]
    return values


def _read(path: Path) -> Any:
    try:
        values = _yaml().load(path.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML ({' '.join(str(error).split())}).", "Correct what it names.") from None
    if not isinstance(values, dict):
        raise UserError(f"{path} holds no sections.", "Write what differs from the default, such as base: {seed: 1}.")
    return values


def _lay(values: Any, over: Any, whole: Collection[str] = ()) -> None:
    """Lay a section over another, in place: what it does not name stays as it is."""
    for key, value in over.items():
        if key not in whole and isinstance(value, dict) and isinstance(values.get(key), dict):
            _lay(values[key], value)
            continue
        values[key] = value
        for comment in values.ca.items.get(key, []):
            if isinstance(comment, CommentToken):
                comment.column = COLUMN  # not behind a value that is no longer there


def _yaml() -> YAML:
    """The round-trip reader and writer, which keeps the comments."""
    yaml = YAML()
    yaml.Representer, yaml.preserve_quotes, yaml.width = _Nulls, True, 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _dumped(values: Any) -> str:
    written = StringIO()
    _yaml().dump(values, written)
    return written.getvalue()


def _heading(text: str) -> str:
    """The comment with which a profile begins."""
    return "".join(takewhile(lambda line: line.startswith("#"), text.splitlines(keepends=True)))


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
    for part in ("fit", "fit_combination", "train_variance", "train_fusion"):
        values[part]["dataset"] = chosen
    values["ablate"]["calibrate"], values["train_usam"]["datasets"] = chosen, [chosen]
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
