"""Table 2 of the paper, and that every adapter keeps to it."""

import importlib

import pytest

from uncertsam.base.errors import UserError
from uncertsam.data.licences import PUBLISHED, TABLE
from uncertsam.data.raw.adapters import benchmark
from uncertsam.data.raw.adapters._volumes import VolumeParams
from uncertsam.data.raw.adapters.base import ComponentParams, available
from uncertsam.data.raw.remote.sources import find, sources
from uncertsam.models.sam2 import CONFIGS

TABLE_2 = {  # name, licence, CCA, CT: as printed
    "big": ("BIG", "research only", True, False),
    "coift": ("COIFT", "CC BY-NC 4.0", False, False),
    "cod10k": ("COD10K-v3", "research only", True, False),
    "msd": ("MSD Spleen", "CC BY-SA 4.0", False, True),
    "istd": ("ISTD", "research only", True, False),
    "sbu": ("SBU", "unknown", True, False),
    "flare7k": ("Flare7K", "S-Lab License 1.0", True, False),
    "trans10k": ("Trans10K", "research only", True, False),
    "sa1b": ("SA-1B", "SA-1B V1.0", False, False),
}


def test_the_table_is_the_papers() -> None:
    assert {k: (row.name, row.licence) for k, row in TABLE.items()} == {k: row[:2] for k, row in TABLE_2.items()}


@pytest.mark.parametrize("adapter", TABLE_2)
def test_an_adapter_states_the_licence_and_the_preprocessing_of_the_table(adapter: str) -> None:
    params = importlib.import_module(f"uncertsam.data.raw.adapters.{adapter}").Params()
    assert params.licence == f"{TABLE_2[adapter][1]} (Table 2 of the paper)"
    assert (isinstance(params, ComponentParams), isinstance(params, VolumeParams)) == TABLE_2[adapter][2:]


def test_every_adapter_is_in_the_table_or_reads_sets_of_any_licence() -> None:
    assert set(available()) - set(TABLE) == {"benchmark", "coco", "folder", "nifti", "regions"}


def test_the_published_benchmark_is_the_table_without_sa_1b() -> None:
    assert {row.name for row in PUBLISHED.values()} == {row[0] for row in TABLE_2.values()} - {"SA-1B"}
    with pytest.raises(ValueError, match="ISTD, MSD_Spleen"):
        benchmark.Params(published="SA-1B")


def test_sources_are_addresses_over_https_with_a_licence_and_what_is_known_of_them() -> None:
    table = sources()
    assert len({s.name for s in table}) == len(table)
    for source in table:
        assert source.urls and all(url.startswith("https://") for url in source.urls)
        assert source.licence and source.verified and source.unverified


def test_every_sam_2_model_has_a_source_under_its_own_name() -> None:
    assert {s.name for s in sources() if s.kind == "checkpoint"} == set(CONFIGS)


def test_a_token_belongs_to_the_host_that_its_source_names() -> None:
    for source in sources():
        assert bool(source.token_env) == bool(source.token_home)
        assert all(url.startswith(f"{source.token_home}/") for url in source.urls if source.token_env)


def test_an_unknown_source_is_answered_with_those_that_exist() -> None:
    with pytest.raises(UserError, match=r"no dataset 'SA-1B'.*ISTD.*Flare7K"):
        find("SA-1B", "dataset")
    with pytest.raises(UserError, match=r"sam2\.1_large"):
        find("sam3")
