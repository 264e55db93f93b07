"""Table 2 of the paper: the eight datasets and SA-1B, their licences, and how App. B prepares their masks."""

from dataclasses import dataclass


@dataclass(frozen=True)
class _Row:
    """One dataset. `reference` is the paper that introduced it; Table 2 marks CCA, CC and CT.

    components: masks are separated by connected component analysis (CCA). colours: masks are coded by colour (CC).
    ct: slices of CT volumes, normalised (CT).
    """

    name: str  # in the table
    reference: str
    licence: str
    components: bool = False
    colours: bool = False
    ct: bool = False

    @property
    def stated(self) -> str:
        """The licence as adapters give it, with its authority."""
        return f"{self.licence} (Table 2 of the paper)"


RESEARCH = "research only"

TABLE = {  # by adapter
    "big": _Row("BIG", "Cheng et al. 2020, CascadePSP", RESEARCH, components=True),
    "coift": _Row("COIFT", "Liew et al. 2021, Deep interactive thin object selection", "CC BY-NC 4.0"),
    "cod10k": _Row("COD10K-v3", "Fan et al. 2022, Concealed object detection", RESEARCH, components=True, colours=True),
    "msd": _Row("MSD Spleen", "Antonelli et al. 2022, Medical Segmentation Decathlon", "CC BY-SA 4.0", ct=True),
    "istd": _Row("ISTD", "Wang et al. 2018, Stacked conditional GANs for shadows", RESEARCH, components=True),
    "sbu": _Row("SBU", "Vicente et al. 2016, Noisily-annotated shadow examples", "unknown", components=True),
    "flare7k": _Row("Flare7K", "Dai et al. 2022, Flare7K", "S-Lab License 1.0", components=True, colours=True),
    "trans10k": _Row("Trans10K", "Xie et al. 2021, Transparent objects in the wild", RESEARCH, components=True),
    "sa1b": _Row("SA-1B", "Kirillov et al. 2023, Segment Anything", "SA-1B V1.0"),
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
