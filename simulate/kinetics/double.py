"""float64 where an algorithm needs it, whatever precision the user has JAX compute in; complex numbers of it.

A Python or NumPy scalar beside a float64 array is rounded to float32 first where 32 bits are JAX's default: numbers
that float32 does not hold (pi, 1/6) are made with full_like or in_double.
"""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


def in_double(values: Any) -> Array:
    """The same values as float64."""
    return jnp.asarray(values, np.float64)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DoubleComplex:
    """re + i im in real arithmetic: JAX 0.10 cannot transpose complex128 where 32 bits are the default."""

    re: Any
    im: Any

    def __add__(self, other: Any) -> "DoubleComplex":
        other = _lifted(other)
        return DoubleComplex(self.re + other.re, self.im + other.im)

    __radd__ = __add__

    def __neg__(self) -> "DoubleComplex":
        return DoubleComplex(-self.re, -self.im)

    def __sub__(self, other: Any) -> "DoubleComplex":
        return self + -_lifted(other)

    def __rsub__(self, other: Any) -> "DoubleComplex":
        return -self + other

    def __mul__(self, other: Any) -> "DoubleComplex":
        if not isinstance(other, DoubleComplex):
            return DoubleComplex(self.re * other, self.im * other)
        return DoubleComplex(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "DoubleComplex":
        if not isinstance(other, DoubleComplex):
            return DoubleComplex(self.re / other, self.im / other)
        return self * other.inverse()

    def __rtruediv__(self, other: Any) -> "DoubleComplex":
        return self.inverse() * other

    def __getitem__(self, index: Any) -> "DoubleComplex":
        return DoubleComplex(self.re[index], self.im[index])

    def inverse(self) -> "DoubleComplex":
        size = self.re * self.re + self.im * self.im
        return DoubleComplex(self.re / size, -self.im / size)


def _lifted(value: Any) -> DoubleComplex:
    return value if isinstance(value, DoubleComplex) else DoubleComplex(value, 0.0)


_SIN = tuple((-1) ** n / math.factorial(2 * n + 1) for n in range(9))
_COS = tuple((-1) ** n / math.factorial(2 * n) for n in range(9))


def cos_sin(angle: Array) -> tuple[Array, Array]:
    """Both by one Taylor series of a quarter of the angle, to 1e-15: XLA's own take five times as long on the CPU."""
    circle = jnp.full_like(angle, 2 * math.pi)
    quarter = (angle - circle * jnp.round(angle / circle)) / 4
    square = quarter * quarter
    sin, cos = jnp.full_like(square, _SIN[-1]), jnp.full_like(square, _COS[-1])
    for odd, even in zip(_SIN[-2::-1], _COS[-2::-1], strict=True):
        sin, cos = sin * square + jnp.full_like(square, odd), cos * square + jnp.full_like(square, even)
    sin = sin * quarter
    for _ in range(2):
        cos, sin = 1 - 2 * sin * sin, 2 * sin * cos
    return cos, sin


def exp(x: DoubleComplex) -> DoubleComplex:
    """e^x."""
    size = jnp.exp(x.re)
    cos, sin = cos_sin(x.im)
    return DoubleComplex(size * cos, size * sin)


def expm1(x: DoubleComplex) -> DoubleComplex:
    """e^x - 1 without cancellation near 0."""
    cos, sin = cos_sin(x.im / 2)
    return DoubleComplex(jnp.expm1(x.re) * (1 - 2 * sin * sin) - 2 * sin * sin, jnp.exp(x.re) * 2 * sin * cos)


def sqrt(x: DoubleComplex) -> DoubleComplex:
    """The root with a real part that is not negative."""
    size = jnp.hypot(x.re, x.im)
    right = x.re > 0
    large = jnp.sqrt((size + jnp.where(right, x.re, -x.re)) / 2)
    small = x.im / (2 * large)
    sign = jnp.where(x.im < 0, -1.0, 1.0)
    return DoubleComplex(jnp.where(right, large, sign * small), jnp.where(right, small, sign * large))
