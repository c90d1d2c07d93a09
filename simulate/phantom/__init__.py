"""Tissue whose every property is known: random tumours in brain-like surroundings."""

from simulate.phantom.priors import GLIOBLASTOMA_RIM as GLIOBLASTOMA_RIM
from simulate.phantom.priors import GREY_MATTER as GREY_MATTER
from simulate.phantom.priors import LOW_GRADE as LOW_GRADE
from simulate.phantom.priors import NECROSIS as NECROSIS
from simulate.phantom.priors import OEDEMA as OEDEMA
from simulate.phantom.priors import WHITE_MATTER as WHITE_MATTER
from simulate.phantom.priors import Prior as Prior
from simulate.phantom.priors import Region as Region
from simulate.phantom.tumour import Morphology as Morphology
from simulate.phantom.tumour import Phantom as Phantom
from simulate.phantom.tumour import tumour_phantom as tumour_phantom
