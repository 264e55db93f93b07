"""`uncertsam use`: a profile becomes params.yaml; found folders become datasets without being named."""

import os
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
import yaml

from uncertsam.app._profiles import complete, use
from uncertsam.base.errors import UserError
from uncertsam.config.params import Config
from uncertsam.data.raw.adapters.base import read_raw
from uncertsam.data.raw.adapters.folder import strangers


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("my cats", "glass"):
        for part in ("images", "masks"):
            (tmp_path / "photos" / name / part).mkdir(parents=True)
    return tmp_path / "photos"


def test_every_folder_with_images_and_masks_becomes_a_dataset(root, photos, tmp_path):
    found = use("folder", root / "profiles", tmp_path / "params.yaml", photos)
    config = Config.read(tmp_path / "params.yaml")
    assert set(found) == {"my_cats", "glass"} == set(config.datasets)
    assert config.data["my_cats"].source == photos / "my cats"
    assert config.data["my_cats"].split == {"test": 1.0}


def test_without_general_photos_the_fit_uses_the_synthetic_stand_in_which_is_not_reported(root, photos, tmp_path):
    use("folder", root / "profiles", tmp_path / "params.yaml", photos)
    values = yaml.safe_load((tmp_path / "params.yaml").read_text())
    assert values["fit"]["dataset"] == "soft_shadows" and "soft_shadows" in values["data"]
    assert "soft_shadows" not in values["datasets"]


def test_fitting_on_ones_own_photos_divides_that_dataset_and_no_other(root, photos, tmp_path):
    use("folder", root / "profiles", tmp_path / "params.yaml", photos, fit_on="glass")
    values = yaml.safe_load((tmp_path / "params.yaml").read_text())
    assert values["fit"]["dataset"] == "glass" and values["data"]["glass"]["split"]["fit"] > 0
    assert values["data"]["my_cats"]["split"] == {"test": 1.0}


def test_the_default_profile_is_written_word_for_word(root, tmp_path):
    use("demo", root / "profiles", tmp_path / "params.yaml")
    assert (tmp_path / "params.yaml").read_text() == (root / "profiles" / "demo.yaml").read_text()


def test_a_profile_is_the_default_with_what_its_file_says_and_keeps_every_comment(root, tmp_path):
    """Named entries and lists are its own alone; null is written out."""
    over = yaml.safe_load((root / "profiles" / "paper.yaml").read_text())
    default = yaml.safe_load((root / "profiles" / "demo.yaml").read_text())
    use("paper", root / "profiles", tmp_path / "params.yaml")
    text = (tmp_path / "params.yaml").read_text()
    values = yaml.safe_load(text)
    assert values == complete("paper", root / "profiles") == Config.read(tmp_path / "params.yaml").values
    for name, section in default.items():
        own = over.get(name, {})
        if name == "methods":
            own = {method: knobs | own.get(method, {}) for method, knobs in section.items()}
        alone = name in ("data", "subset", "datasets", "models")
        assert values[name] == (own if alone else section | own if own else section)
    for line in ("# The paper's settings", "    token: dynamic     # 0: the single-mask token", "  domains: null   "):
        assert f"\n{line}" in f"\n{text}"


@pytest.mark.parametrize("name", ["folder", "paper"])
def test_a_profile_says_only_what_differs_from_the_default(root, name):
    def repeated(over, default, whole=()):
        assert over.keys() <= default.keys() | {"discovered"}
        for key in over.keys() & default.keys() - set(whole):
            if isinstance(over[key], dict):
                yield from (f"{key}.{inner}" for inner in repeated(over[key], default[key]))
            elif over[key] == default[key]:
                yield key

    over, default = (yaml.safe_load((root / "profiles" / f"{file}.yaml").read_text()) for file in (name, "demo"))
    assert not list(repeated(over, default, ("data", "subset", "models")))


@pytest.mark.parametrize(
    ("name", "labels"), [("PATIENT.NII", "masks"), ("patient.nii.gz", "labels"), ("ward/patient.nii.gz", "masks")]
)
def test_a_folder_of_volumes_is_read_as_volumes(root, photos, tmp_path, name, labels):
    """Without patterns: those would name one ending and one folder."""
    (photos / "glass" / "masks").rename(photos / "glass" / labels)
    for part, high in (("images", 300), (labels, 1)):
        file = photos / "glass" / part / name
        file.parent.mkdir(exist_ok=True)
        voxels = np.zeros((9, 9, 4), np.int16)
        voxels[2:6, 2:6, 1:3] = high * np.arange(1, 3)
        nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), file)
    use("folder", root / "profiles", tmp_path / "params.yaml", photos)
    spec = Config.read(tmp_path / "params.yaml").data["glass"]
    reading = read_raw(spec.adapter, spec.source, spec.adapter_options)
    assert spec.adapter == "nifti" and len(reading.images) == 2 and not reading.skipped


def test_what_is_no_set_beside_the_sets_is_listed(photos):
    (photos / "birds" / "images").mkdir(parents=True)
    (photos / "list.csv").touch()
    (photos / "Thumbs.db").touch()
    assert {skip.file for skip in strangers(photos)} == {"birds", "list.csv"}


def test_scans_beside_known_slices_are_a_set_of_their_own_and_of_the_same_quality(root, real_data, tmp_path):
    found = use("folder", root / "profiles", tmp_path / "params.yaml", real_data)
    config = Config.read(tmp_path / "params.yaml")
    for name in ("medical_ct_spleen", "medical_mri_tumor"):
        slices, scans = (config.data[f"{name}{end}"] for end in ("", "_volumes"))
        assert f"{name}_volumes" in found and scans.adapter == "nifti" and scans.split == {"test": 1.0}
        assert scans.adapter_options["quality"] == slices.adapter_options["quality"]


def test_a_folder_with_a_name_that_no_dataset_can_have_is_refused(root, photos, tmp_path):
    """The reports' own words, two that differ in case, a name that is no UTF-8."""
    for name, says in (
        ("all", "'all'.*Rename"),
        ("GLASS", "but for their case"),
        (b"c\xe4ts", r"c\\xe4ts is not in UTF-8"),
    ):
        odd = (photos / "glass").parent / os.fsdecode(name)
        shutil.copytree(photos / "glass", odd)
        with pytest.raises(UserError, match=says):
            use("folder", root / "profiles", tmp_path / "params.yaml", photos)
        shutil.rmtree(odd)
    assert not (tmp_path / "params.yaml").exists()


@pytest.mark.parametrize(
    ("name", "folder", "says"),
    [
        ("dmeo", None, "no profile 'dmeo'.*demo"),
        ("folder", None, "needs --root"),
        ("demo", ".", "takes no --root"),
        ("folder", "nowhere", "nowhere"),
    ],
)
def test_misuse_leaves_the_params_alone(root, tmp_path, name, folder, says):
    target = tmp_path / "params.yaml"
    target.write_text("untouched")
    with pytest.raises(UserError, match=says):
        use(name, root / "profiles", target, folder and tmp_path / folder)
    assert target.read_text() == "untouched"


@pytest.mark.parametrize(("text", "says"), [("base: [1,", "is not YAML"), ("- 1", "holds no sections")])
def test_a_broken_profile_is_named(root, tmp_path, text, says):
    shutil.copy(root / "profiles" / "demo.yaml", tmp_path)
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(UserError, match=f"mine.yaml {says}"):
        use("mine", tmp_path, tmp_path / "params.yaml")
    assert not (tmp_path / "params.yaml").exists()
