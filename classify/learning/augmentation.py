"""Examples varied at random: which changes, how strong, drawn with a key."""

from typing import Annotated

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key
from msgspec import Meta

from classify.learning.transforms import contrasted, deviations, mirrored, noisy, resampled, rotation, turned
from simulate.base.typed import Config

Axis = Annotated[int, Meta(ge=0, le=2)]
Up = Annotated[float, Meta(ge=0, le=10)]


class Augmentation(Config, frozen=True):
    """How examples are varied in training; nothing unless it is asked for.

    Attributes
    ----------
    mirror : tuple of int
        Axes along which half of the examples are reflected.
    turn : tuple of int
        Axes about which they are turned by 0 to 3 quarters.
    rotation : float [degrees]
        Largest angle about each axis.
    scaling : float
        Largest logarithm of a factor on the size.
    translation : float [voxels]
        Largest shift along each axis.
    gain : float
        Largest logarithm of a factor on all values.
    offset : float [standard deviations of the channel]
        Largest number added to all values.
    contrast : float
        Largest logarithm of the exponent gamma.
    noise : float [standard deviations of the channel]
        Largest standard deviation of noise.
    """

    mirror: tuple[Axis, ...] = ()
    turn: tuple[Axis, ...] = ()
    rotation: Annotated[float, Meta(ge=0, le=180, description="degrees")] = 0.0
    scaling: Annotated[float, Meta(ge=0, le=1, description="of the logarithm")] = 0.0
    translation: Annotated[float, Meta(ge=0, le=100, description="voxels")] = 0.0
    gain: Up = 0.0
    offset: Up = 0.0
    contrast: Up = 0.0
    noise: Up = 0.0


def augmented(
    key: Key[Array, ""], image: Float[Array, "d h w c"], mask: Float[Array, "d h w"] | None, by: Augmentation
) -> tuple[Float[Array, "d h w c"], Float[Array, "d h w"] | None]:
    """An example varied with a key: first where voxels lie, the mask with them, then the values of the image.

    Raises InputError for turns of volumes that are not square.
    """
    where, values = jax.random.split(key)
    image = _moved(where, image, by, order=1)
    if mask is not None:
        mask = _moved(where, mask, by, order=0)
    return _revalued(values, image, by), mask


def _moved(key: Array, x: Array, by: Augmentation, *, order: int) -> Array:
    reflect, quarter, angle, size, place = jax.random.split(key, 5)
    if by.mirror:
        chosen = jnp.isin(jnp.arange(3), jnp.asarray(by.mirror))
        x = mirrored(x, chosen & jax.random.bernoulli(reflect, shape=(3,)))
    for axis, number in zip(by.turn, jax.random.randint(quarter, (len(by.turn),), 0, 4), strict=True):
        x = turned(x, number, axis)
    if by.rotation or by.scaling or by.translation:
        angles = jnp.deg2rad(by.rotation) * _symmetric(angle, (3,))
        matrix = rotation(angles) * jnp.exp(by.scaling * _symmetric(size))
        x = resampled(x, matrix, by.translation * _symmetric(place, (3,)), order=order)
    return x


def _revalued(key: Array, x: Array, by: Augmentation) -> Array:
    gain, offset, gamma, size, noise = jax.random.split(key, 5)
    channels = x.shape[-1:]
    if by.contrast:
        x = contrasted(x, jnp.exp(by.contrast * _symmetric(gamma, channels)))
    if by.gain or by.offset:
        x = x * jnp.exp(by.gain * _symmetric(gain, channels)) + by.offset * _symmetric(offset, channels) * deviations(x)
    if by.noise:
        x = noisy(x, noise, by.noise * jax.random.uniform(size, channels) * deviations(x))
    return x


def _symmetric(key: Array, shape: tuple[int, ...] = ()) -> Array:
    return jax.random.uniform(key, shape, minval=-1, maxval=1)
