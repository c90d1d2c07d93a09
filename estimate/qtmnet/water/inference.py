"""A series of labelled water through a trained QTMnet."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from estimate.qtmnet.familiarity import unfamiliar
from estimate.qtmnet.inference import Seen, through
from estimate.qtmnet.prediction import TO_ONE_SIGMA
from estimate.qtmnet.tiles import CORE
from estimate.qtmnet.water.features import Delays, features, levels, scan_level
from estimate.qtmnet.water.targets import SCORED
from estimate.qtmnet.weights import Trained
from simulate.base.progress import Progress, silent


class Answer(NamedTuple):
    """Of v voxels. cbf : [mL/g/s]; its standard error is cbf x cbf_spread, so that cbf exp(± 1.645 spread) covers 90 %.
    att, att_spread : [s].      odd : whether a voxel's course over delays is unlike the training's.
    strangeness : of the scan as a whole, which is unlike the training's above 1.
    """

    cbf: np.ndarray
    cbf_spread: np.ndarray
    att: np.ndarray
    att_spread: np.ndarray
    odd: np.ndarray
    strangeness: float

    @property
    def unfamiliar(self) -> np.ndarray:
        """Voxels whose answer is not to be believed: the course's own doing, or that of the scan."""
        return self.odd | (self.strangeness > 1)


def answer(
    trained: Trained,
    d: Float[np.ndarray, "v k"],
    sigma: Float[np.ndarray, " v"],
    delays: Delays,
    *,
    t1_blood: float,
    late: Float[np.ndarray, " v"],
    where: tuple[np.ndarray, ...],
    shape: tuple[int, ...],
    core: tuple[int, ...] = CORE,
    progress: Progress = silent,
) -> Answer:
    """Flow and arrival of voxels.

    d : lambda dM/(2 alpha M0) [mL/g], finite.      sigma : noise of d from one pair.      delays : of the first slice.
    late : [s] by which a voxel is read out after it.      where : the voxels' indices in a volume of this shape.
    """
    as32 = Delays(*(jnp.asarray(a, jnp.float32) for a in delays))
    slices, of_slice = np.unique(np.asarray(late), return_inverse=True)
    groups = [np.flatnonzero(of_slice == k) for k in range(len(slices))]
    each = [as32._replace(post_label_delay=as32.post_label_delay + float(s)) for s in slices]
    data = [(np.asarray(d[rows], np.float32), np.asarray(sigma[rows], np.float32)) for rows in groups]
    level, sure = (np.empty(len(d), np.float32) for _ in range(2))
    for rows, own, (x, s) in zip(groups, each, data, strict=True):
        level[rows], sure[rows] = levels(jnp.asarray(x), jnp.asarray(s), own, t1_blood)
    typical = scan_level(jnp.asarray(level), jnp.asarray(sure), jnp.ones(len(d), bool))
    parts = [
        features(jnp.asarray(x), jnp.asarray(s), own, t1_blood, typical) for own, (x, s) in zip(each, data, strict=True)
    ]
    odd = np.empty(len(d), bool)
    voxel = np.empty((len(d), parts[0].voxel.shape[1]), np.float32)
    for rows, part in zip(groups, parts, strict=True):
        voxel[rows], level[rows] = part.voxel, part.level
        odd[rows] = unfamiliar(trained.familiarity, part, part.gram)
    scan = jnp.mean(jnp.stack([part.scan for part in parts]), axis=0)
    value, spread, strangeness = through(
        trained, Seen(voxel, scan, np.ones(len(d), bool)), where, shape, core=core, progress=progress
    )  # fmt: skip
    sigma_of = {n: spread[:, i] * trained.widening[n] / TO_ONE_SIGMA for i, n in enumerate(SCORED)}
    cbf = np.exp(value[:, SCORED.index("CBF")]) * level
    return Answer(cbf, sigma_of["CBF"], value[:, SCORED.index("ATT")], sigma_of["ATT"], odd, strangeness)
