"""Regions of a phantom that studies look at apart."""

from simulate.phantoms.priors import Region

RIM, GREY_MATTER, WHITE_MATTER = "tumour rim", "grey matter", "white matter"

REGIONS = {RIM: Region.RIM, GREY_MATTER: Region.GREY_MATTER, WHITE_MATTER: Region.WHITE_MATTER}

FEWEST = 15
"""Voxels of a region below which a phantom does not count for it: a median of fewer says little (chosen)."""
