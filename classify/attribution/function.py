"""A function of arrays as its owner gives it: f(x) -> number, of x a pytree of real arrays, compiled and looked after.

Nothing that is not finite goes in or comes out: it is named and counted instead.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial, keystr, tree_leaves_with_path
from jaxtyping import ArrayLike, PyTree

from simulate.base.errors import InputError

Function = Callable[..., Any]
"""Of x to a logit. Where it is a `jax.tree_util.Partial` its bound arguments, such as a network's parameters, may
change from call to call without a new compilation; any other function is compiled anew in every call, because nobody
can see what it holds."""


def admitted(f: Function, x: PyTree[ArrayLike]) -> PyTree[jax.Array]:
    """x as real arrays, once it is known to be finite and f to make a number of it."""
    x = reals("x", x)
    number = jax.eval_shape(compiled(value_of, f), x)
    if getattr(number, "shape", None) != () or not jnp.issubdtype(number.dtype, jnp.floating):
        given = f"of shape {number.shape}" if hasattr(number, "shape") else f"a {type(number).__name__}"
        raise InputError("f", "", f"gives no real number but something {given}", "let it return one logit of one x")
    return x


def reals(name: str, tree: PyTree[ArrayLike]) -> PyTree[jax.Array]:
    """All leaves as finite floats."""
    arrays = jax.tree.map(lambda leaf: jnp.asarray(leaf) * 1.0, tree)
    check_finite(name, "", arrays, "replace these values, or mask them out, beforehand")
    return arrays


def like(name: str, tree: PyTree[ArrayLike], x: PyTree[jax.Array], x_name: str = "x") -> PyTree[jax.Array]:
    """Of the structure and shapes of x, such as a baseline."""
    arrays = reals(name, tree)
    shapes, expected = jax.tree.map(jnp.shape, (arrays, x))
    if shapes != expected:
        problem = f"has shape {shapes}, and {x_name} has {expected}"
        raise InputError(name, "", problem, f"give a {name} for every value of {x_name}")
    return arrays


def check_finite(name: str, what: str, tree: PyTree[ArrayLike], cure: str) -> None:
    """Refuse what is not finite, by the leaf's name and the number of its elements that are not."""
    for path, leaf in tree_leaves_with_path(tree):
        values = np.asarray(leaf)
        if bad := int(np.sum(~np.isfinite(values))):
            problem = f"is not finite in {bad} of {values.size} elements"
            raise InputError(f"{name}{keystr(path)}", what, problem, cure)


def check_gradient(gradient: PyTree[ArrayLike], of: str = "x") -> None:
    """Refuse a derivative of f that is not finite."""
    cure = "mend the function there (0/0, a root or a logarithm at 0), or move x away from it"
    check_finite(of, "gradient of f", gradient, cure)


def check_values(values: ArrayLike, at: str) -> None:
    """Refuse values of f that are not finite."""
    check_finite("f", f"value {at}", values, "mend the function there, or choose another replacement")


def compiled(step: Callable[..., Any], f: Function) -> Callable[..., Any]:
    """step(f, ...) as one program; kept for other calls where f is a `Partial`."""
    if isinstance(f, Partial):
        return partial(_shared(step), f)
    return jax.jit(partial(step, f))


@cache
def _shared(step: Callable[..., Any]) -> Callable[..., Any]:
    return jax.jit(step)


def value_of(f: Function, x: PyTree[jax.Array]) -> Any:
    """A step: f itself."""
    return f(x)


def gradient_of(f: Function, x: PyTree[jax.Array]) -> PyTree[jax.Array]:
    """A step: its derivative."""
    return jax.grad(f)(x)


def difference(f: Function, x: PyTree[jax.Array], baseline: PyTree[jax.Array]) -> float:
    """f(x) - f(baseline)."""
    program = compiled(value_of, f)
    ends = np.array([program(x), program(baseline)], float)
    check_values(ends, "at x and baseline")
    return float(ends[0] - ends[1])


def in_batches(program: Callable[..., Any], rows: np.ndarray, batch: int) -> np.ndarray:
    """Values (n,) of program(rows (batch, ...)) -> (batch,), so many of the n rows at a time: memory is bounded."""
    found = []
    batch = min(batch, len(rows))
    for start in range(0, len(rows), batch):
        some = rows[start : start + batch]
        whole = np.concatenate([some, np.repeat(some[-1:], batch - len(some), axis=0)])  # one shape, one program
        found.append(np.asarray(program(jnp.asarray(whole)), float)[: len(some)])
    return np.concatenate(found)
