"""The nouns' fields have shapes that go together, and survive what JAX does to PyTrees."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from simulate.base.types import ASLProtocol, DCEProtocol, Maps, Series, Tissue
from simulate.kinetics.tissue import tissue_concentration

TIMES = np.arange(5.0)
PROTOCOL = DCEProtocol(times=TIMES, repetition_time=0.004, flip_angle=15.0)


def asl(*, delays=(1.0, 1.0)):
    return ASLProtocol(
        ("control", "label"), "pcasl", np.full(2, 1.8), np.asarray(delays), np.full(2, 4.0), 0.85, 1.65,
        np.zeros(0),
    )  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Tissue(np.ones(3, complex), np.ones(3), 0.1, 0.2),
        lambda: DCEProtocol(times=TIMES, repetition_time=np.full(5, 0.004), flip_angle=15.0),
        lambda: DCEProtocol(times=np.array(0.0), repetition_time=0.004, flip_angle=15.0),
        lambda: asl(delays=(1.0, 1.0, 1.0)),
        lambda: Series(np.ones((2, 2, 5)), PROTOCOL, np.eye(3)),
        lambda: Series(np.array(1.0), PROTOCOL, np.eye(4)),
        lambda: Maps({"Fp": np.ones(3)}, np.eye(3)),
    ],
)
def test_shapes_that_do_not_go_together_are_refused(wrong):
    with pytest.raises(TypeCheckError):
        wrong()


@pytest.mark.parametrize(
    "whole",
    [
        Tissue(jnp.ones(3), jnp.ones(3), 0.1, 0.2),
        PROTOCOL,
        asl(),
        Series(jnp.ones((2, 2, 5)), PROTOCOL, np.eye(4)),
        Maps({"Fp": jnp.ones(3), "PS": jnp.ones(3)}),
    ],
    ids=lambda whole: type(whole).__name__,
)
def test_what_stands_in_the_place_of_arrays_is_no_array(whole):
    """Shapes, axes and bare objects, as transformations put them there; a batch of all."""
    leaves, structure = jax.tree.flatten(whole)
    jax.tree.unflatten(structure, [object()] * len(leaves))
    jax.tree.map(np.shape, whole)
    assert jax.eval_shape(lambda a: a, whole) is not None
    batch = jax.vmap(lambda _: whole)(jnp.arange(4))
    assert {np.shape(leaf)[0] for leaf in jax.tree.leaves(batch)} == {4}
    axes = jax.tree.map(lambda _: 0, whole)
    again = jax.vmap(lambda one: one, in_axes=(axes,))(batch)
    assert jax.tree.all(jax.tree.map(np.array_equal, again, batch))


def test_tissue_passes_through_derivatives():
    tissue = Tissue(jnp.array([0.01, 0.02]), jnp.array([0.002, 0.001]), jnp.full(2, 0.05), jnp.full(2, 0.2))

    def area(tissue):
        return jnp.sum(tissue_concentration(tissue, jnp.ones(5), jnp.asarray(TIMES), model="patlak"))

    slope = jax.jit(jax.grad(area))(tissue)
    assert slope.Fp.shape == (2,)
    assert jax.hessian(area)(tissue).Fp.Fp.shape == (2, 2)
