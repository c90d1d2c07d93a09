r"""Fluxes through the faces of voxels, of fourth order: voxel means in, divergence out.

    (\nabla.(u P))_i = \sum_{axes} (u_+ P_+ - u_- P_-)/h,
    P_{i+1/2} = (7 (P_i + P_{i+1}) - (P_{i-1} + P_{i+2}))/12

P_{i+1/2} is the face's value of what has these voxel means. Beside the ends of the mask it is the mean of both sides;
flow may pass through the ends themselves, where it is drawn on linearly from inside.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float


class Faces(NamedTuple):
    """Which faces can carry a flux, per axis (nx+1, ny, nz), (nx, ny+1, nz), (nx, ny, nz+1); edges of a voxel [mm]."""

    open: tuple[Array, Array, Array]
    inside: Array
    cell: tuple[float, float, float]


def faces_of(inside: Bool[np.ndarray, "x y z"], cell: tuple[float, float, float]) -> Faces:
    """Faces of the voxels inside, those at the ends included; an axis of one voxel has none."""
    found = []
    for axis in range(3):
        pad = [(int(a == axis), int(a == axis)) for a in range(3)]
        wide = np.pad(inside, pad)
        before, after = np.delete(wide, -1, axis), np.delete(wide, 0, axis)
        found.append(jnp.asarray((before | after) & (inside.shape[axis] > 1)))
    return Faces(tuple(found), jnp.asarray(inside), cell)


def face_values(P: Float[Array, "x y z k"], faces: Faces, axis: int) -> Array:
    """P at all faces across one axis."""
    inside = faces.inside[..., None].astype(P.dtype)

    def shifted(a: Array, by: int) -> Array:
        """a of the voxel `by` places from a face: -1 is just before it, 0 just after."""
        pad = [(2, 2) if d == axis else (0, 0) for d in range(4)]
        n = a.shape[axis] + 1
        return jnp.take(jnp.pad(a, pad), jnp.arange(2 + by, 2 + by + n), axis=axis)

    near = [(shifted(P * inside, by), shifted(inside, by)) for by in (-2, -1, 0, 1)]
    (far_left, has_far_left), (left, has_left), (right, has_right), (far_right, has_far_right) = near
    four = (7 * (left + right) - far_left - far_right) / 12
    two = (left + right) / 2
    after_end = right + jnp.where(has_far_right > 0, right - far_right, 0.0) / 2
    before_end = left + jnp.where(has_far_left > 0, left - far_left, 0.0) / 2
    end = jnp.where(has_right > 0, after_end, before_end)
    inner = jnp.where(has_far_left * has_far_right > 0, four, two)
    return jnp.where(has_left * has_right > 0, inner, jnp.where(has_left + has_right > 0, end, 0.0))


def divergence(flux: tuple[Array, Array, Array], faces: Faces) -> Float[Array, "x y z k"]:
    """Of fluxes through faces (with a last axis) [.. mm/s]."""
    terms = [jnp.diff(f, axis=axis) / h for axis, (f, h) in enumerate(zip(flux, faces.cell, strict=True))]
    return (terms[0] + terms[1] + terms[2]) * faces.inside[..., None]


@jax.jit
def at_centres(u: tuple[Array, Array, Array], faces: Faces) -> Float[Array, "x y z 3"]:
    """Mean of a voxel's two faces along each axis."""
    means = []
    for axis, (v, is_open) in enumerate(zip(u, faces.open, strict=True)):
        low, high = (jnp.delete(v * is_open, end, axis) for end in (-1, 0))
        count = jnp.delete(is_open, -1, axis).astype(v.dtype) + jnp.delete(is_open, 0, axis)
        means.append((low + high) / jnp.maximum(count, 1.0))
    return jnp.stack(means, axis=-1) * faces.inside[..., None]
