"""Changes of one volume (d, h, w, c) or mask (d, h, w) that leave it an example of the same class."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Bool, Float, Int, Key

from simulate.base.errors import InputError

Image = Float[Array, "d h w *c"]


def mirrored(x: Image, axes: Bool[Array, " 3"]) -> Image:
    """Reflected along those of the three axes."""
    for axis in range(3):
        x = jnp.where(axes[axis], jnp.flip(x, axis), x)
    return x


def turned(x: Image, quarters: Int[Array, ""], axis: int) -> Image:
    """By quarter turns about an axis; the volume has to be as long along both others.

    Raises InputError where it is not.
    """
    plane = (int(axis == 0), 2 - int(axis == 2))
    if x.shape[plane[0]] != x.shape[plane[1]]:
        raise InputError(
            "turn", f"axis {axis}", f"turns volumes of {x.shape[plane[0]]} x {x.shape[plane[1]]} voxels on their side",
            "leave this axis out, or crop the volumes to squares",
        )  # fmt: skip
    return jax.lax.switch(quarters % 4, [partial(jnp.rot90, k=k, axes=plane) for k in range(4)], x)


def resampled(x: Image, matrix: Float[Array, "3 3"], shift: Float[Array, " 3"], *, order: int = 1) -> Image:
    """y(r) = x(matrix (r - centre) + centre + shift), in voxels; beyond the edge its nearest voxel.

    order : 1 interpolates linearly, 0 takes the nearest voxel, as masks need.
    """
    size = x.shape[:3]
    centre = (jnp.asarray(size) - 1) / 2
    grid = jnp.stack(jnp.meshgrid(*(jnp.arange(n) for n in size), indexing="ij"), axis=-1)
    places = list(jnp.moveaxis((grid - centre) @ matrix.T + centre + shift, -1, 0))
    take = partial(map_coordinates, coordinates=places, order=order, mode="nearest")
    flat = x.reshape(*size, -1)
    return jnp.stack([take(flat[..., c]) for c in range(flat.shape[-1])], axis=-1).reshape(x.shape)


def rotation(angles: Float[Array, " 3"]) -> Float[Array, "3 3"]:
    """About the three axes, one after the other [rad]."""
    whole = jnp.eye(3)
    for axis in range(3):
        i, j = (other for other in range(3) if other != axis)
        cos, sin = jnp.cos(angles[axis]), jnp.sin(angles[axis])
        whole = jnp.eye(3).at[i, i].set(cos).at[j, j].set(cos).at[i, j].set(-sin).at[j, i].set(sin) @ whole
    return whole


def contrasted(x: Image, gamma: Float[Array, " *c"]) -> Image:
    """((x - min)/(max - min))^gamma (max - min) + min, in each channel."""
    low, high = (pick(x, axis=(0, 1, 2), keepdims=True) for pick in (jnp.min, jnp.max))
    width = jnp.where(high > low, high - low, 1)
    return ((x - low) / width) ** gamma * width + low


def noisy(x: Image, key: Key[Array, ""], deviation: Float[Array, " *c"]) -> Image:
    """With independent normal numbers added, of a standard deviation for each channel."""
    return x + deviation * jax.random.normal(key, x.shape, x.dtype)


def deviations(x: Image) -> Float[Array, " *c"]:
    """Standard deviation of each channel: the unit of shifts and noise."""
    return jnp.std(x, axis=(0, 1, 2))
