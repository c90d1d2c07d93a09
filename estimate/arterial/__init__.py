"""The arterial input: found in the images, drawn by hand, read from a table, or of a population."""

from estimate.arterial.evidence import CandidateT1
from estimate.arterial.found import find_aif, find_aif_among, frames_before_contrast
from estimate.arterial.given import ArterialInput, aif_from_roi, describe_error, population_aif
from estimate.arterial.search import LOWEST_PEAK
from estimate.arterial.table import read_aif_csv, write_aif_csv

__all__ = [
    "LOWEST_PEAK",
    "ArterialInput",
    "CandidateT1",
    "aif_from_roi",
    "describe_error",
    "find_aif",
    "find_aif_among",
    "frames_before_contrast",
    "population_aif",
    "read_aif_csv",
    "write_aif_csv",
]
