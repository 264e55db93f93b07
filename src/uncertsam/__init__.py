"""UncertSAM: where is a segmentation model wrong?"""

__version__ = "0.1.0"
