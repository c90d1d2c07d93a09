"""A small PCASL examination as files, with its truth."""

import json

import jax
import jax.numpy as jnp
import numpy as np

from simulate.asl.series import asl_protocol, asl_series
from simulate.base.nifti import write_image

SHAPE = (6, 5, 4)
DELAYS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
AFFINE = np.diag([3.5, 3.5, 5.0, 1.0])
M0 = 1000.0
rng = np.random.default_rng(0)
CBF = rng.uniform(30, 80, SHAPE)
ATT = rng.uniform(0.7, 1.8, SHAPE)


def series(delays=DELAYS, *, sigma=0.0, **options):
    """(data (*SHAPE, n), protocol); options of the protocol, of the series: m0, model, residual, abv, abat."""
    made = {k: options.pop(k) for k in ("model", "residual", "abv", "abat", "t1_tissue") if k in options}
    protocol = asl_protocol(delays, **options)
    key = jax.random.key(1) if sigma else None
    data = asl_series(key, jnp.asarray(CBF), jnp.asarray(ATT), protocol, m0=M0, sigma=sigma * M0, **made)
    return np.asarray(data), protocol


def fields(protocol, **others):
    """The sidecar that describes it."""
    own = {
        "ArterialSpinLabelingType": protocol.labelling.upper(),
        "RepetitionTimePreparation": np.asarray(protocol.repetition_time).tolist(),
        "PostLabelingDelay": np.asarray(protocol.post_label_delay).tolist(),
        "LabelingDuration": np.asarray(protocol.label_duration).tolist(),
        "LabelingEfficiency": float(protocol.label_efficiency),
        "BackgroundSuppression": False,
        "M0Type": "Included" if "m0scan" in protocol.volume_types else "Absent",
        "MagneticFieldStrength": 3,
        "MRAcquisitionType": "3D",
        "TotalAcquiredPairs": protocol.volume_types.count("control"),
    }
    return own | others


def write(folder, data, protocol, kinds=None, **others):
    """sub-1_asl.nii.gz with sidecar and context."""
    path = folder / "sub-1_asl.nii.gz"
    write_image(path, data, AFFINE)
    content = {k: v for k, v in fields(protocol, **others).items() if v is not None}
    path.with_name("sub-1_asl.json").write_text(json.dumps(content))
    path.with_name("sub-1_aslcontext.tsv").write_text(
        "\n".join(["volume_type", *(kinds or protocol.volume_types)]) + "\n"
    )
    return path
