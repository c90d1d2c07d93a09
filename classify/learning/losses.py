"""What a classifier's outputs are judged by, averaged over a batch."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import ArrayLike, Float, Int, Num

from simulate.base.errors import InputError

OutputLoss = Callable[[Array, Any], Array]
"""(outputs (b, o), targets (b, ...)) -> number. A survival loss is one: its targets hold time and event."""


def class_weights(labels: ArrayLike, classes: int) -> np.ndarray:
    """Weights N/(K n_k) of N examples, n_k of them of class k: all classes count alike, and their mean is 1.

    Parameters
    ----------
    labels : (n,) int array
        Class of every example, from 0.
    classes : int
        K, how many there are.

    Returns
    -------
    (K,) array
        Of each class.

    Raises
    ------
    InputError
        For a class without an example, and for labels that are not classes.
    """
    counts = np.bincount(checked_labels(labels, classes), minlength=classes)
    if not counts.all():
        cure = "leave the class out, or train without weights"
        raise InputError("labels", f"class {np.argmin(counts)}", "has no example", cure)
    return counts.sum() / (classes * counts)


def checked_labels(labels: ArrayLike, classes: int) -> np.ndarray:
    """(n,) classes; InputError where they are something else."""
    given = np.asarray(labels)
    if given.ndim != 1 or not np.isin(given, np.arange(classes)).all():
        cure = "give one whole number for every example, or a loss of your own"
        raise InputError("labels", "", f"are not all whole numbers from 0 to {classes - 1}", cure)
    return given.astype(int)


def cross_entropy(
    logits: Float[Array, "b k"], labels: Int[Array, " b"], *,
    weights: Num[Array, " k"] | None = None, smoothing: float = 0.0,
) -> Float[Array, ""]:  # fmt: skip
    """Mean of -sum_k w_k q_k log p_k, with q = (1 - s) of the label and s/K of every class (label smoothing s).

    The mean is over examples, not over weights as in PyTorch: in a batch of one that would undo them.

    Parameters
    ----------
    logits : (b, k) array
        Of every class.
    labels : (b,) int array
        The class of each example.
    weights : (k,) array
        Of classes, such as `class_weights`.
    smoothing : float
        s, from 0 to 1.

    Returns
    -------
    number
        The mean.
    """
    classes = logits.shape[-1]
    wanted = (1 - smoothing) * jax.nn.one_hot(labels, classes) + smoothing / classes
    wanted = wanted if weights is None else wanted * weights
    return -jnp.mean(jnp.sum(wanted * jax.nn.log_softmax(logits), axis=-1))


def binary_cross_entropy(
    logits: Float[Array, "b 1"], labels: Num[Array, " b"], *, weights: Num[Array, " 2"] | None = None,
    smoothing: float = 0.0,
) -> Float[Array, ""]:  # fmt: skip
    """Cross-entropy of two classes whose logits are 0 and the one given.

    Parameters
    ----------
    logits : (b, 1) array
        Of the class 1.
    labels : (b,) array
        0 or 1.
    weights : (2,) array
        Of the classes 0 and 1.
    smoothing : float
        s, from 0 to 1.

    Returns
    -------
    number
        The mean over examples.
    """
    both = jnp.concatenate([jnp.zeros_like(logits), logits], axis=-1)
    return cross_entropy(both, labels.astype(int), weights=weights, smoothing=smoothing)
