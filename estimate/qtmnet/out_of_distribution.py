r"""Detection of curves and scans out of the training's distribution, of which no prediction is to be believed.

Points of the training are taken as Gaussian with mean m and covariance V diag(l) V^T. A new point x, with noise of its
own along the directions v_k, lies at the squared distance

    d^2 = mean_k (v_k.(x - m))^2 / (l_k + n_k)

from it (Mahalanobis; 1 on average within the distribution; Lee et al., NeurIPS 2018, arXiv 1807.03888). Two
distributions are kept:

    curves   of single voxels, on the nodes in time. Its noise is n_k = (\sigma/b)^2 v_k.P^T P v_k, with P the
             projection of the scan's frames on the nodes.
    scans    the first context of whole scans, in the directions in which the training's differ most. An injection
             unlike the training's shows here, where no single curve is an outlier: tissue might have been slow instead.

Beyond its `limit` a voxel's curve is an outlier; beyond that of scans, all of a scan is. Where the limits lie is found
on calibration phantoms (`estimate.qtmnet.learning.limits`).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float

OUTLIER_SHARE = 0.05
"""Share of a scan's voxels from which on the reader is warned of outliers."""

DIRECTIONS = 64
"""Of a context: along those left out the training's scans differ by less than a hundredth of the most."""


class Gaussian(NamedTuple):
    """mean (n,), directions (n, k) as columns, variance (k,) along them, and the limit () of d^2."""

    mean: Array | np.ndarray
    directions: Array | np.ndarray
    variance: Array | np.ndarray
    limit: Array | np.ndarray

    @staticmethod
    def empty(n: int, k: int) -> "Gaussian":
        """About zero, and without a limit."""
        return Gaussian(*(a.astype(np.float32) for a in (np.zeros(n), np.eye(n, k), np.ones(k), np.full((), np.inf))))


class TrainingDistribution(NamedTuple):
    """What curves and what scans of the training looked like."""

    curves: Gaussian
    scans: Gaussian

    @staticmethod
    def empty(nodes: int, context: int) -> "TrainingDistribution":
        """Nothing is an outlier. nodes, context : numbers of a curve and of a context."""
        return TrainingDistribution(Gaussian.empty(nodes, nodes), Gaussian.empty(context, min(context, DIRECTIONS)))


def learn_curves(shapes: Float[np.ndarray, "v n"]) -> Gaussian:
    """The distribution of clear curves (little noise), without a limit."""
    mean = np.median(shapes, axis=0)
    spread = np.clip(shapes - mean, -10, 10)
    variance, directions = np.linalg.eigh(spread.T @ spread / len(shapes))
    return _gaussian(mean, directions, np.maximum(variance, 1e-4))


def learn_scans(contexts: Float[np.ndarray, "s n"]) -> Gaussian:
    """The distribution of scans' contexts, without a limit."""
    mean = np.mean(contexts, axis=0)
    spread = (contexts - mean).astype(float)
    variance, directions = np.linalg.eigh(spread.T @ spread / len(contexts))
    most = np.s_[-min(DIRECTIONS, len(mean)) :]
    return _gaussian(mean, directions[:, most], np.maximum(variance[most], 1e-6 * variance[-1]))


def _gaussian(mean: np.ndarray, directions: np.ndarray, variance: np.ndarray) -> Gaussian:
    return Gaussian(*(np.asarray(a, np.float32) for a in (mean, directions, variance, np.inf)))


@jax.jit
def distance(known: Gaussian, points: Float[Array, "*b n"], noise: Float[Array, "*b k"] | float = 0.0) -> Array:
    """(*b) d^2 of points. noise : n_k, variance of each point's own noise along the directions."""
    along = (points - known.mean) @ jnp.asarray(known.directions)
    return jnp.mean(along**2 / (known.variance + noise), axis=-1)


def curve_distance(
    known: Gaussian, shapes: Float[Array, "v n"], noise_share: Float[Array, " v"], gram: Float[Array, "n n"]
) -> Float[Array, " v"]:
    """d^2 of curves. noise_share : sigma/b.      gram : P^T P."""
    directions = jnp.asarray(known.directions)
    extra = jnp.einsum("nk,nm,mk->k", directions, gram, directions)
    return distance(known, shapes, noise_share[:, None] ** 2 * extra)


def outliers(known: TrainingDistribution, seen: Any, gram: Float[Array, "n n"]) -> Bool[Array, " v"]:
    """Which voxels' curves lie outside. seen : their features, the curves' shapes first."""
    shapes = seen.voxel[:, : known.curves.mean.shape[0]]
    return curve_distance(known.curves, shapes, seen.noise / seen.level, gram) > known.curves.limit


def scan_ood_score(known: TrainingDistribution, context: Float[Array, " n"]) -> float:
    """d^2 of a scan over its limit: above 1 the scan as a whole lies outside."""
    return float(distance(known.scans, context) / known.scans.limit)


def scan_warning(ood_score: float, alarms: float, why: str) -> list[str]:
    """What to say of such a scan.

    alarms : share of in-distribution scans beyond the limit.      why : it may be, the end of a sentence.
    """
    if ood_score <= 1:
        return []
    return [
        f"The scan as a whole is unlike those that QTMnet was trained with ({ood_score:.2g} times the limit that "
        f"{100 * alarms:.2g} % of these pass; status: unfamiliar everywhere), and its intervals do not hold: {why}."
    ]
