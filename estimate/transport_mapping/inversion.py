r"""Quantitative transport mapping (QTM): what velocity field explains how concentration moves?

One compartment (Zhou et al., IEEE TMI 2021 and their followers): all tracer moves and spreads,

    dC/dt + \nabla.(u C) = \nabla.(D \nabla C),

which takes leakage for slowness. Two compartments: only plasma moves, and it exchanges with an EES,

    dC/dt + \nabla.(u P) = 0,   P = vp cp = C - a e^{-k t} * C,   a = PS/vp,  k = PS/vp + PS/ve,

since ve dce/dt = PS (cp - ce) and C = P + ve ce make ce a convolution of the measured C: no boundary condition and no
forward problem. Both are integrated from frame to frame, with C linear between frames and its convolution exact:

    min_u  \sum_k | C_{k+1} - C_k + \nabla.(u \int P dt) |^2 + regularisation.

u is linear least squares by conjugate gradients; a and k, smooth fields, are found around it by L-BFGS (the gradient
at the best u is that with u held fixed). Both know no absolute scale but that of C: u, a and k do not need one; vp is
the area of P over that of the input, since the area of cp is the same all along the way.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import ArrayLike, Bool, Float
from scipy.optimize import minimize

from estimate.transport_mapping.faces import Faces, at_centres, divergence, face_values, faces_of
from simulate.kinetics.convolution import exponential_convolution

SMOOTHNESS = 1e-3
"""Weight of the velocity's roughness, relative to the data's own curvature."""

EXCHANGE_SMOOTHNESS = 5e-2
"""Weight of the roughness of ln a and ln(k - a), relative to the signal's energy per voxel."""

BLUR = 3.0
"""Standard deviation [s] over which curves are smoothed in time. The equations hold for smoothed curves as well, and a
front that is steeper than voxels are wide cannot be followed from one to the next."""

_EXCHANGE_BOUNDS = (1e-5, 1.0)  # 1/s


class Transported(NamedTuple):
    """What was found, on the grid; 0 outside the mask.

    velocity : (x, y, z, 3) [mm/s].      speed : (x, y, z) [mm/s].      diffusivity : (x, y, z) [mm^2/s], or None.
    PS_over_vp, PS_over_ve : (x, y, z) [1/s], or None.      plasma : (x, y, z, t) P at the frames [mmol/L].
    residual : (x, y, z) share of the change of C that is not explained.      converged : whether the solver was done.
    iterations : of it.
    """

    velocity: Any
    speed: Any
    diffusivity: Any
    PS_over_vp: Any
    PS_over_ve: Any
    plasma: Any
    residual: Any
    converged: bool
    iterations: int


def one_compartment(
    curves: Float[np.ndarray, "x y z t"], times: Float[np.ndarray, " t"], cell: tuple[float, float, float],
    *, inside: Bool[np.ndarray, "x y z"] | None = None, diffusion: bool = True, smoothness: float = SMOOTHNESS,
    blur: float = BLUR,
) -> Transported:  # fmt: skip
    """Velocity and diffusivity of concentrations [mmol/L] at times [s] on voxels with these edges [mm]."""
    faces, C, times_ = _prepare(curves, times, cell, inside, blur)
    step = jnp.diff(times_)
    amount = (C[..., 1:] + C[..., :-1]) / 2 * step
    u, D, left, found = _solve(jnp.diff(C, axis=-1), amount, faces, smoothness, diffusion)
    return _result(u, D if diffusion else None, None, None, C, C, left, faces, bool(found), 0)


def two_compartments(
    curves: Float[np.ndarray, "x y z t"], times: Float[np.ndarray, " t"], cell: tuple[float, float, float],
    *, inside: Bool[np.ndarray, "x y z"] | None = None, start: tuple[float, float] = (0.02, 0.01),
    smoothness: float = SMOOTHNESS, exchange_smoothness: float = EXCHANGE_SMOOTHNESS, steps: int = 200,
    blur: float = BLUR,
) -> Transported:  # fmt: skip
    """Velocity of plasma, PS/vp and PS/ve of concentrations [mmol/L] at times [s] on voxels with these edges [mm].

    start : PS/vp and PS/ve [1/s] to begin with.      steps : of L-BFGS, at most.      blur : see `BLUR`.
    """
    faces, C, times_ = _prepare(curves, times, cell, inside, blur)
    change = jnp.diff(C, axis=-1)
    energy = float(jnp.sum(change**2))
    shape = C.shape[:3]
    begin = np.stack([np.full(shape, np.log(s)) for s in start])

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        theta = jnp.asarray(flat.reshape(begin.shape), C.dtype)
        value, slope = _profile(theta, C, change, times_, faces, smoothness, exchange_smoothness)
        return float(value) / energy, np.asarray(slope, float).ravel() / energy

    low, high = np.log(_EXCHANGE_BOUNDS)
    found = minimize(
        objective, begin.ravel(), jac=True, method="L-BFGS-B", bounds=[(low, high)] * begin.size,
        options={"maxiter": steps, "ftol": 1e-9, "gtol": 1e-9},
    )  # fmt: skip
    theta = jnp.asarray(found.x.reshape(begin.shape), C.dtype)
    plasma, amount = _plasma(theta, C, times_)
    u, _, left, done = _solve(change, amount, faces, smoothness, False)
    a, back = np.exp(np.asarray(theta, float)) * np.asarray(faces.inside)
    return _result(u, None, a, back, plasma, C, left, faces, bool(done) and found.success, int(found.nit))


def plasma_volume(found: Transported, times: np.ndarray, arrival: float, window: float, area: float) -> np.ndarray:
    """vp (x, y, z): area of P over `window` [s] after the arrival over the input's `area` [mmol/L s]."""
    knots = np.clip(np.asarray(times), arrival, arrival + window)
    plasma = np.asarray(found.plasma)
    return np.trapezoid(plasma, knots, axis=-1) / area


def _prepare(curves: Any, times: Any, cell: Any, inside: Any, blur: float) -> tuple[Faces, Array, Array]:
    """Faces, blurred curves and times. The kernel's rows are normalised, so uneven frames are allowed."""
    apart = np.subtract.outer(np.asarray(times, float), np.asarray(times, float))
    kernel = np.exp(-((apart / blur) ** 2) / 2) if blur > 0 else np.eye(len(apart))
    C = jnp.asarray(curves) @ jnp.asarray((kernel / kernel.sum(1, keepdims=True)).T, jnp.asarray(curves).dtype)
    mask = np.ones(C.shape[:3], bool) if inside is None else np.asarray(inside, bool)
    x, y, z = (float(edge) for edge in cell)
    faces = faces_of(mask, (x, y, z))
    return faces, jnp.where(faces.inside[..., None], C, 0.0), jnp.asarray(times, C.dtype)


@jax.jit
def _plasma(theta: Array, C: Array, times: Array) -> tuple[Array, Array]:
    """P at the frames (x, y, z, t), and its integrals between them (x, y, z, t-1), exact for C linear in between."""
    a, back = jnp.exp(theta[0]), jnp.exp(theta[1])
    k = a + back
    one = jax.vmap(lambda curve, rate: exponential_convolution(curve, times, rate))
    E = one(C.reshape(-1, C.shape[-1]), k.ravel()).reshape(C.shape)
    amount = (C[..., 1:] + C[..., :-1]) / 2 * jnp.diff(times)
    stored = (amount - jnp.diff(E, axis=-1)) / k[..., None]
    return C - a[..., None] * E, amount - a[..., None] * stored


@jax.jit
def _profile(
    theta: Array,
    C: Array,
    change: Array,
    times: Array,
    faces: Faces,
    smoothness: ArrayLike,
    exchange_smoothness: ArrayLike,
) -> tuple[Array, Array]:
    """What is left at the best velocity for this exchange, and its gradient."""
    _, amount = _plasma(theta, C, times)
    u, D, _, _ = jax.lax.stop_gradient(_solve(change, jax.lax.stop_gradient(amount), faces, smoothness, False))
    weight = exchange_smoothness * jnp.sum(change**2) / jnp.maximum(jnp.sum(faces.inside), 1)

    def left(theta: Array) -> Array:
        _, amount = _plasma(theta, C, times)
        misfit = change * faces.inside[..., None] + _moved(u, D, amount, faces, False)
        return jnp.sum(misfit**2) + weight * sum(_roughness(field, faces) for field in theta)

    return jax.value_and_grad(left)(theta)


def _roughness(field: Array, faces: Faces) -> Array:
    """Sum of squared differences between neighbours inside."""
    total = jnp.zeros(())
    for axis in range(3):
        both = jnp.delete(faces.inside, -1, axis) & jnp.delete(faces.inside, 0, axis)
        total = total + jnp.sum(jnp.where(both, jnp.diff(field, axis=axis), 0.0) ** 2)
    return total


def _moved(u: tuple, D: tuple, amount: Array, faces: Faces, diffusion: bool) -> Array:
    """Divergence of the flux between frames."""
    flux = []
    for axis in range(3):
        through = u[axis][..., None] * face_values(amount, faces, axis)
        if diffusion:
            through = through - D[axis][..., None] * _slope(amount, faces, axis)
        flux.append(through * faces.open[axis][..., None])
    return divergence(tuple(flux), faces)


def _slope(P: Array, faces: Faces, axis: int) -> Array:
    """Difference across every face over the distance, 0 at the ends."""
    pad = [(1, 1) if d == axis else (0, 0) for d in range(4)]
    inside = jnp.pad(faces.inside[..., None], pad)
    both = jnp.delete(inside, -1, axis) & jnp.delete(inside, 0, axis)
    return jnp.where(both, jnp.diff(jnp.pad(P, pad), axis=axis) / faces.cell[axis], 0.0)


@partial(jax.jit, static_argnames="diffusion")
def _solve(
    change: Array, amount: Array, faces: Faces, smoothness: ArrayLike, diffusion: bool
) -> tuple[tuple, tuple, Array, Array]:
    """(u, D at faces, residual (x, y, z, k), whether it converged) of the regularised least squares."""
    change = change * faces.inside[..., None]
    zeros = tuple(jnp.zeros(f.shape, change.dtype) for f in faces.open)
    sizes = [_column_energy(amount, faces, axis) for axis in range(3)]
    typical = sum(jnp.sum(s) for s in sizes) / jnp.maximum(sum(jnp.sum(f) for f in faces.open), 1)

    def forward(x: tuple) -> Array:
        return _moved(x[0], x[1], amount, faces, diffusion)

    transpose: Any = jax.linear_transpose(forward, (zeros, zeros))

    def rough(fields: tuple) -> tuple:
        return jax.grad(lambda v: sum(_face_roughness(f, o) for f, o in zip(v, faces.open, strict=True)) / 2)(fields)

    def normal(x: tuple) -> tuple:
        (nu, nd), (ru, rd) = transpose(forward(x))[0], (rough(x[0]), rough(x[1]))
        weight = smoothness * typical
        scale = typical * 1e-6  # keeps faces that nothing passes at rest
        new_u = tuple(a + weight * b + scale * c for a, b, c in zip(nu, ru, x[0], strict=True))
        new_d = tuple(a + weight * b + scale * c for a, b, c in zip(nd, rd, x[1], strict=True))
        return new_u, new_d

    rhs = jax.tree.map(lambda a: -a, transpose(change)[0])
    solution: Any = jax.scipy.sparse.linalg.cg(normal, rhs, tol=1e-6, maxiter=500)[0]
    u, D = solution
    final = jax.tree.map(lambda a, b: jnp.sum((a - b) ** 2), normal((u, D)), rhs)
    size = jax.tree.map(lambda b: jnp.sum(b**2), rhs)
    gap = sum(jax.tree.leaves(final)) / jnp.maximum(sum(jax.tree.leaves(size)), 1e-30)
    return u, D, change + forward((u, D)), gap < 1e-6


def _column_energy(amount: Array, faces: Faces, axis: int) -> Array:
    """Curvature of the data along every face's velocity."""
    return 2 * jnp.sum(face_values(amount, faces, axis) ** 2, axis=-1) / faces.cell[axis] ** 2 * faces.open[axis]


def _face_roughness(field: Array, is_open: Array) -> Array:
    total = jnp.zeros(())
    for axis in range(3):
        both = jnp.delete(is_open, -1, axis) & jnp.delete(is_open, 0, axis)
        total = total + jnp.sum(jnp.where(both, jnp.diff(field, axis=axis), 0.0) ** 2)
    return total


def _result(
    u: tuple, D: tuple | None, a: Any, back: Any, plasma: Any, C: Any, left: Any, faces: Faces, done: bool, steps: int
) -> Transported:
    velocity = np.asarray(at_centres(u, faces))
    change = np.sum(np.square(np.diff(np.asarray(C), axis=-1)), axis=-1)
    share = np.sqrt(np.sum(np.asarray(left) ** 2, axis=-1) / np.maximum(change, 1e-30))
    return Transported(
        velocity=velocity,
        speed=np.linalg.norm(velocity, axis=-1),
        diffusivity=None if D is None else np.mean(np.asarray(at_centres(D, faces)), axis=-1),
        PS_over_vp=a,
        PS_over_ve=back,
        plasma=np.asarray(plasma),
        residual=np.where(np.asarray(faces.inside), share, 0.0),
        converged=done,
        iterations=steps,
    )
