"""The sidecar of the separate M0 image of an ASL series, held against that of the series."""

import numpy as np

from simulate.base.constants import same_field
from simulate.base.errors import InputError
from simulate.files.atomic import AnyPath
from simulate.files.bids.asl import RULES, TR, ASLSidecar, per_volume
from simulate.files.bids.fields import Fields, read_fields

M0_PREFIX = "m0scan."
"""What --set writes before a field of a separate M0 image."""

M0_FIELDS = tuple(M0_PREFIX + name for name in ("RepetitionTimePreparation", "MagneticFieldStrength", "EchoTime"))

SAME_ECHO = 0.01
"""Share by which echo times differ where only rounding differs: it changes M0 by 0.3 % at TE 13 ms, T2* 45 ms."""

_ENDINGS = (".nii.gz", ".nii", ".hdr", ".hdr.gz")


def read_m0_sidecar(
    image_path: AnyPath, *, series: ASLSidecar, volumes: int = 1, overrides: dict[str, object] | None = None
) -> tuple[np.ndarray, list[str]]:
    """RepetitionTimePreparation (volumes,) [s] of a separate M0 image, one number or one for each of its volumes; and
    sentences on what makes it another measurement than its series.

    overrides : of them those that are for this file, as `m0scan.RepetitionTimePreparation`.

    Raises InputError where a field is missing or wrong, or M0 was measured at another field strength.
    """
    fields = read_fields(image_path, overrides, RULES, prefix=M0_PREFIX)
    fields.require("RepetitionTimePreparation")
    strength, _ = fields.number("MagneticFieldStrength", None)
    if strength and series.field_strength and not same_field(strength, series.field_strength):
        problem = f"is {strength:g} T, and {series.field_strength:g} T of the series, which it cannot scale"
        cure = f"give --m0 of the same scanner or --set {M0_PREFIX}MagneticFieldStrength=value"
        raise InputError(
            fields.sources.get("MagneticFieldStrength", fields.path), "MagneticFieldStrength", problem, cure
        )
    return per_volume(fields, "RepetitionTimePreparation", volumes, TR), _echo_warnings(fields, series)


def _echo_warnings(fields: Fields, series: ASLSidecar) -> list[str]:
    echo = fields.find("EchoTime")[1]
    if not isinstance(echo, int | float) or series.echo_time is None:
        return []
    if abs(echo - series.echo_time) <= SAME_ECHO * max(echo, series.echo_time):
        return []
    said = f"EchoTime of M0 is {echo:g}, and that of the series {series.echo_time:g}"
    return [f"{said}: their T2* weighting differs, and CBF is off by the ratio."]
