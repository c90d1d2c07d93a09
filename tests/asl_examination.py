"""A small PCASL examination as files, with its truth."""

import json

import jax
import jax.numpy as jnp
import numpy as np

from simulate.files.bids.asl import context_path, write_asl_sidecar
from simulate.files.nifti import write_image
from simulate.labelling.series import asl_protocol, asl_series

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


def write(folder, data, protocol, kinds=None, **others):
    """sub-1_asl.nii.gz with sidecar and context; others : fields to change, None takes one away."""
    path = folder / "sub-1_asl.nii.gz"
    write_image(path, data, AFFINE)
    sidecar = write_asl_sidecar(path, protocol)
    content = json.loads(sidecar.read_text()) | others
    sidecar.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    if kinds is not None:
        context_path(path).write_text("\n".join(["volume_type", *kinds]) + "\n")
    return path
