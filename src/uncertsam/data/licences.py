"""Table 2 of the paper: the eight datasets and SA-1B, and their licences."""

from typing import NamedTuple


class _Row(NamedTuple):
    name: str  # in the table
    licence: str

    @property
    def stated(self) -> str:
        """The licence as adapters give it, with its authority."""
        return f"{self.licence} (Table 2 of the paper)"


TABLE = {  # by adapter
    "big": _Row("BIG", "research only"),  # Cheng et al. 2020, CascadePSP
    "coift": _Row("COIFT", "CC BY-NC 4.0"),  # Liew et al. 2021, Deep interactive thin object selection
    "cod10k": _Row("COD10K-v3", "research only"),  # Fan et al. 2022, Concealed object detection
    "msd": _Row("MSD Spleen", "CC BY-SA 4.0"),  # Antonelli et al. 2022, Medical Segmentation Decathlon
    "istd": _Row("ISTD", "research only"),  # Wang et al. 2018, Stacked conditional GANs for shadows
    "sbu": _Row("SBU", "unknown"),  # Vicente et al. 2016, Noisily-annotated shadow examples
    "flare7k": _Row("Flare7K", "S-Lab License 1.0"),  # Dai et al. 2022, Flare7K
    "trans10k": _Row("Trans10K", "research only"),  # Xie et al. 2021, Transparent objects in the wild
    "sa1b": _Row("SA-1B", "SA-1B V1.0"),  # Kirillov et al. 2023, Segment Anything
}

PUBLISHED = {  # by folder of the published benchmark, which SA-1B is no part of
    "ISTD": TABLE["istd"],
    "MSD_Spleen": TABLE["msd"],
    "Trans10K": TABLE["trans10k"],
    "COD10K-v3": TABLE["cod10k"],
    "COIFT": TABLE["coift"],
    "BIG": TABLE["big"],
    "SBU-shadow": TABLE["sbu"],
    "Flare7K": TABLE["flare7k"],
}
