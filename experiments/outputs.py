"""What runs write alike: one image per map in the grid of the series, inputs as tables, numbers that JSON knows."""

from pathlib import Path
from typing import Any

import numpy as np

from estimate.arterial import ArterialInput, write_aif_csv
from simulate.base.nifti import write_image
from simulate.base.types import Maps
from simulate.base.units import clinical_unit

REPORTS = ("maps.json", "maps.png", "report.html")
"""What describes the maps. An earlier run's is removed first: it would describe maps that are no longer there."""


def write_maps(out: Path, maps: Maps, status: np.ndarray, affine: np.ndarray) -> None:
    """NAME.nii.gz of every map with its unit, and status.nii.gz."""
    for name, values in maps.values.items():
        write_image(out / f"{name}.nii.gz", values, affine, unit_description=clinical_unit(name))
    write_image(out / "status.nii.gz", status, affine, unit_description="bit mask")


def write_true_aif(folder: Path, aif: ArterialInput, haematocrit: float) -> None:
    """aif.csv, the plasma concentration that --aif reads, and aif_blood.csv, the same in whole blood."""
    write_aif_csv(folder / "aif.csv", aif)
    write_aif_csv(folder / "aif_blood.csv", aif, haematocrit=haematocrit)


def number(value: Any) -> float | None:
    """JSON knows no NaN: what is not known is null."""
    return float(value) if np.isfinite(value) else None


def median(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else None
