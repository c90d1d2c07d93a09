r"""Every cell's response to one short bolus, from which its curve for ANY input and frames is a matrix product.

A bed with steady flow is linear and does not change with time. With r(t) a cell's response to the cubic B-spline
B(t) of 1 s knots, the input ca(t) = \sum_k a_k B(t - k) gives

    C(t) = \sum_k a_k r(t - k),    mean over frame j:  C_j = \sum_m r(\tau_m) M_{mj}.

r is smooth, so it is kept at `KNOTS` (dense while the bolus passes) and read linearly between them. The spline
rather than a hat: its spectrum falls off so fast that no frequencies need be cut, and nothing rings.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from simulate.examinations.perfused import PerfusedPhantom
from simulate.examinations.truth import true_values
from simulate.spectral.engine import cell_concentration, local_aif, transport
from simulate.spectral.readout import readout

SPACING = 1.0
"""Seconds between the splines, and between the samples of an inlet."""

LONGEST = 320.0
"""Seconds for which responses are known."""

_FINE = 0.5

KNOTS = np.concatenate([np.arange(-2, 40, _FINE), np.arange(40, 90, 1.0), np.arange(90, LONGEST + 1, 2.5)])
"""Times [s] at which a response is kept, from the spline's centre."""

FREQUENCIES = 768

TRUTHS = ("Fp", "PS", "vp", "ve", "Ktrans", "vp_vessels", "delay", "speed", "T10")
"""Truth kept with the responses, in internal units."""


class Responses(NamedTuple):
    """Of the c cells of one phantom.

    shape : (c, m) float16, response at `KNOTS` over `peak`.      peak : (c,) its largest value.
    truth : (c, p) values of `TRUTHS`, internal units; delay from the inlet.      region : (c,).
    cells : number along each axis.      cell : edges [mm].      mixing : 1/N of the capillaries.
    local_aif : (c, m) float16, response of the plasma that enters the units, or empty.
    """

    shape: Any
    peak: Any
    truth: Any
    region: Any
    cells: tuple[int, int, int]
    cell: tuple[float, float, float]
    mixing: float
    local_aif: Any


@jax.jit
def spline(times: Float[Array, " t"]) -> Float[Array, " t"]:
    """Cubic B-spline of knots 1 s apart, centred at 0."""
    x = jnp.abs(times) / SPACING
    inner = 2 / 3 - x**2 + x**3 / 2
    outer = jnp.maximum(2 - x, 0.0) ** 3 / 6
    return jnp.where(x < 1, inner, outer)


@jax.jit
def inlet_curve(weights: Float[Array, "*s k"], times: Float[Array, " t"]) -> Float[Array, "*s t"]:
    """The input ca(t) [mmol/L] itself: splines centred at 0, 1, 2, ... s with these weights."""
    centres = SPACING * jnp.arange(weights.shape[-1])
    return weights @ jax.vmap(spline)(times[None, :] - centres[:, None])


def phantom_responses(
    perfused: PerfusedPhantom, *, with_local_aif: bool = False, frequencies: int = FREQUENCIES
) -> Responses:
    """Responses and truth of every cell of a phantom; with the plasma that enters it where `with_local_aif`."""
    fine = np.arange(-2, 2.01, 0.1)
    out = readout(np.asarray(spline(jnp.asarray(fine))), fine, KNOTS, 0.0, frequencies=frequencies)
    contents, _ = transport(perfused.bed, out)
    curves = np.asarray(cell_concentration(perfused.bed, contents))
    entering = np.asarray(local_aif(perfused.bed, out) if with_local_aif else np.empty((0, KNOTS.size)))
    return packed(perfused, curves, true_values(perfused), TRUTHS, entering)


def packed(
    perfused: PerfusedPhantom, curves: np.ndarray, truth: dict[str, Any], names: Sequence[str], entering: np.ndarray
) -> Responses:
    """Responses (c, m) of any tracer as they are kept, with the truths of these names; entering (c or 0, m)."""
    peak = np.maximum(curves.max(axis=1), 1e-12)
    values = [np.asarray(truth[name]).ravel() for name in names]
    return Responses(
        shape=(curves / peak[:, None]).astype(np.float16),
        peak=peak.astype(np.float32),
        truth=np.nan_to_num(np.stack(values, axis=1)).astype(np.float32),
        region=np.asarray(perfused.phantom.region).ravel().astype(np.int8),
        cells=perfused.blood.shape,
        cell=perfused.phantom.cell,
        mixing=float(perfused.phantom.mixing),
        local_aif=entering.astype(np.float16),
    )


@jax.jit
def frame_matrix(weights: Float[Array, " k"], edges: Float[Array, " j1"]) -> Float[Array, "m j"]:
    """M of the module's equation: what every frame's mean takes from every knot of a response.

    weights : of the inlet's splines.      edges : of frames that run back to back [s] after the first spline's centre.

    Between fine points half a second apart both r and the comb of the weights are linear, so their sum may be read
    either way: as the comb's running integral at the frames' edges, shifted by every fine point. A knot reads several
    fine points; as all knots but a few do so alike, the comb is smoothed first, once for each of the `_KERNELS`.
    """
    # the comb at half seconds: a_0, 0, a_1, 0, ...; its running integral is quadratic in between
    comb = jnp.stack([weights, jnp.zeros_like(weights)], axis=1).ravel()
    comb = jnp.pad(comb, (_KERNELS.shape[1] + 1,) * 2)
    both = jnp.stack([_FINE * (jnp.cumsum(comb) - comb / 2), comb])
    length = comb.size
    smooth: Any = sum(
        jnp.asarray(_KERNELS[:, w], comb.dtype)[:, None, None]
        * jnp.pad(both, ((0, 0), (w, 0)), mode="edge")[:, :length]
        for w in range(_KERNELS.shape[1])
    )
    area, left = smooth[:, 0], smooth[:, 1]
    right = jnp.roll(left, -1, axis=1)
    table = jnp.stack([area, left, right], axis=-1).reshape(-1, 3)  # what is read together lies together
    z = (edges - KNOTS[0]) / _FINE + _KERNELS.shape[1] + 1
    i = jnp.floor(z)
    f = z - i
    at = jnp.clip(i.astype(jnp.int32) - _FIRST[:, None], 0, length - 2) + length * _KERNEL_OF[:, None]
    read = table[at]
    running = read[..., 0] + _FINE * ((f - f * f / 2) * read[..., 1] + f * f / 2 * read[..., 2])
    return jnp.diff(running, axis=1) / jnp.diff(edges)


def _reading() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(m,) first fine point that every knot reads, (g, w) the kernels by which they read on, (m,) which of them."""
    fine = np.arange(KNOTS[0], LONGEST + _FINE, _FINE)
    weights = np.stack([np.interp(fine, KNOTS, row, right=0.0) for row in np.eye(KNOTS.size)])
    first = (weights > 0).argmax(axis=1)
    width = int((weights > 0).sum(axis=1).max())
    padded = np.pad(weights, ((0, 0), (0, width)))
    kernels = np.stack([row[a : a + width] for row, a in zip(padded, first, strict=True)]).round(12)
    unique, which = np.unique(kernels, axis=0, return_inverse=True)
    return first, unique, which.ravel()


_FIRST, _KERNELS, _KERNEL_OF = _reading()
