"""Flip angles and TR of images for T1: all angles in one file, or one file an angle (sub-1_flip-1_VFA) after BIDS."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from simulate.base.errors import InputError
from simulate.files.bids.dce import RULES, SYNONYMS
from simulate.files.bids.fields import Fields, read_fields, same_value

VFA_PREFIX = "vfa."
"""What --set writes before a field of the images of variable flip angles."""

VFA_FIELDS = tuple(VFA_PREFIX + name for name in ("FlipAngle", "RepetitionTimeExcitation", "RepetitionTime"))

SAME_ANGLE = 0.01
"""Degrees within which flip angles are one, but for rounding."""


def read_vfa_sidecars(
    image_paths: Sequence[Path], *, volumes: Sequence[int], overrides: dict[str, object] | None = None
) -> tuple[Float[np.ndarray, " n"], float]:
    """Read the flip angles (n,) [degrees] of all volumes, file after file, and their TR [s].

    volumes : of each image.
    overrides : of them those that are for these files; `vfa.FlipAngle` lists the angles of all volumes.
    """
    own = [read_fields(path, overrides, RULES, SYNONYMS, prefix=VFA_PREFIX) for path in image_paths]
    if sum(volumes) == 1:
        problem = "is a single volume, and one flip angle determines no T1"
        raise InputError(image_paths[0], "FlipAngle", problem, "give --vfa once for each angle's file")
    for fields in own:
        fields.require("RepetitionTimeExcitation", "FlipAngle")
    if "FlipAngle" in own[0].overrides:
        angles = own[0].numbers("FlipAngle", sum(volumes), "volumes", RULES["FlipAngle"])
    else:
        angles = np.concatenate([_angles(fields, count) for fields, count in zip(own, volumes, strict=True)])
    if np.ptp(angles) < SAME_ANGLE:
        raise own[0].error("FlipAngle", "holds fewer than 2 distinct angles, which determine no T1")
    return angles, _common_tr(own)


def _angles(fields: Fields, volumes: int) -> np.ndarray:
    """(volumes,) [degrees]; the file of one volume may give a number."""
    value = fields.find("FlipAngle")[1]
    if volumes == 1 and not isinstance(value, list):
        fields = replace(fields, sidecar=fields.sidecar | {"FlipAngle": [value]})
    return fields.numbers("FlipAngle", volumes, "volumes", RULES["FlipAngle"])


def _common_tr(own: Sequence[Fields]) -> float:
    name, first, _ = own[0].find("RepetitionTimeExcitation")
    common = own[0].checked(name, first, RULES["RepetitionTimeExcitation"])
    for fields in own[1:]:
        name, value, _ = fields.find("RepetitionTimeExcitation")
        if not same_value(fields.checked(name, value, RULES["RepetitionTimeExcitation"]), common):
            raise fields.differs(name, value, own[0], first, "T1 is measured at one TR: give images of one")
    return common
