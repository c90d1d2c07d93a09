"""The separate M0 of an ASL series: found or given, read, and checked against the series."""

from pathlib import Path

from estimate.asl.examination import Calibration
from experiments.commands.inputs import as_series, files_of
from simulate.base.errors import InputError
from simulate.files.bids.asl import ASLSidecar
from simulate.files.bids.intended import find_m0
from simulate.files.bids.m0 import M0_FIELDS, read_m0_sidecar
from simulate.files.nifti import Image, check_same_grid, read_image


def read_m0(
    given: Path | None, image: Image, sidecar: ASLSidecar, files: list[Path], overrides: dict[str, object]
) -> tuple[Calibration | None, list[str]]:
    """M0 images, each with its TR, where M0Type is Separate, and sentences on how they differ from the series.

    given : as --m0; by default the one that its name or IntendedFor gives to the series.
    image, sidecar : of the series.      files : to which those that are read are added.
    """
    if sidecar.m0_type != "Separate":
        unused = sorted(set(overrides) & set(M0_FIELDS))
        if given is not None:
            raise InputError("--m0", str(given), f"is given, and M0Type is {sidecar.m0_type}", "leave out one")
        if unused:
            raise InputError("--set", unused[0], f"is given, and M0Type is {sidecar.m0_type}", "leave it out")
        return None, []
    path = find_m0(image.path) if given is None else given
    own = as_series(read_image(path, dimensions=(3, 4)))
    check_same_grid(own, image, "M0 image")
    files += files_of(path)
    times, warnings = read_m0_sidecar(path, series=sidecar, volumes=own.data.shape[3], overrides=overrides)
    return Calibration(own.data, times), warnings
