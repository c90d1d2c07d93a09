"""A patient's file as NIfTI: structural images, segmentation, the series with its sidecar, labelling after BIDS."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from simulate.base.types import DCEProtocol
from simulate.files.bids.dce import write_sidecar
from simulate.files.hdf5 import read_hdf5
from simulate.files.nifti import write_image

STRUCTURAL = ("t1", "t1ce", "t2", "flair", "segmentation")


def write_patient_nifti(path: Path) -> Path:
    """Into a folder of the file's name without its ending: t1, t1ce, t2, flair, segmentation, dce with dce.json, vfa,
    mask and dce_segmentation; returns the folder."""
    tree, folder = read_hdf5(path), path.with_suffix("")
    folder.mkdir(exist_ok=True)
    images, dce = tree["images"], tree["dce"]
    for name in STRUCTURAL:
        write_image(folder / f"{name}.nii.gz", images[name], images["affine"], unit_description="signal")
    protocol = protocol_of(dce["protocol"])
    for name, key in (("dce", "signal"), ("vfa", "vfa"), ("mask", "mask"), ("dce_segmentation", "segmentation")):
        write_image(folder / f"{name}.nii.gz", dce[key], dce["affine"])
    write_sidecar(folder / "dce.nii.gz", protocol, haematocrit=float(tree["person"]["haematocrit"]))
    return folder


def protocol_of(stored: Mapping[str, Any]) -> DCEProtocol:
    """As it was written by `simulate.patients.files`."""
    numbers = {name: float(value) for name, value in stored.items() if name not in ("times", "baseline")}
    return DCEProtocol(times=np.asarray(stored["times"], float), baseline=int(stored["baseline"]), **numbers)
