"""The input that made a simulation, as tables beside its images."""

from pathlib import Path

from estimate.arterial.table import write_aif_csv
from simulate.inputs.arterial_input import ArterialInput


def write_true_aif(folder: Path, aif: ArterialInput, haematocrit: float) -> None:
    """aif.csv, the plasma concentration that --aif reads, and aif_blood.csv, the same in whole blood."""
    write_aif_csv(folder / "aif.csv", aif)
    write_aif_csv(folder / "aif_blood.csv", aif, haematocrit=haematocrit)
