"""The losses of QTMnet's two stages, as `estimate.training.loop` takes them.

First whole contexts of single voxels, cheap and varied; then cubes of tissue, with which the U-Net learns the
neighbourhood (it enters the decoder through zeros, so it begins where the first stage ended).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from estimate.qtmnet.learning.loss import negative_log_likelihood
from estimate.qtmnet.learning.stream import Examination, Example, patches, sets
from estimate.qtmnet.learning.tasks import TASKS
from estimate.qtmnet.network import Architecture, QTMnet
from estimate.training.loop import Loss
from simulate.banks.phantoms import Bank


def new_network(shape: Architecture, seed: int) -> tuple[Any, Any]:
    """(graph, weights) of a fresh network."""
    return nnx.split(QTMnet(shape, rngs=nnx.Rngs(seed)))


def sets_loss(graph: Any, *, scans: int, voxels: int, side: int) -> Loss:
    """Loss over examinations of random voxels."""

    def loss(weights: Any, key: Array, data: tuple) -> tuple[Array, dict[str, Array]]:
        bank, examination = Bank._make([*data, side]), TASKS[nnx.merge(graph, weights).shape.tracer].examination
        return of_sets(graph, weights, sets(key, bank, examination, scans=scans, voxels=voxels))

    return loss


def patches_loss(graph: Any, *, scans: int, cube: int, beside: int, side: int) -> Loss:
    """Loss over examinations of cubes with voxels from elsewhere beside them."""

    def loss(weights: Any, key: Array, data: tuple) -> tuple[Array, dict[str, Array]]:
        bank, examination = Bank._make([*data, side]), TASKS[nnx.merge(graph, weights).shape.tracer].examination
        batch = patches(key, bank, examination, scans=scans, side=cube, beside=beside)
        return of_patches(graph, weights, batch, cube)

    return loss


def of_sets(graph: Any, weights: Any, batch: Example) -> tuple[Array, dict[str, Array]]:
    net = nnx.merge(graph, weights)
    outputs = net(batch.features.voxel, scan_channels(net, batch), batch.inside)
    return negative_log_likelihood(net.shape.tracer, outputs, batch.target, batch.weight)


def of_patches(graph: Any, weights: Any, batch: Example, cube: int) -> tuple[Array, dict[str, Array]]:
    net = nnx.merge(graph, weights)
    outputs = patch_outputs(net, batch, cube)
    return negative_log_likelihood(net.shape.tracer, outputs, batch.target, batch.weight)


def scan_channels(net: QTMnet, batch: Example) -> Float[Array, "b g"]:
    """What the network is given of every scan."""
    return jnp.concatenate([batch.features.scan, batch.aif], -1) if net.shape.aif_given else batch.features.scan


def patch_outputs(net: QTMnet, batch: Example, cube: int) -> Float[Array, "b v o"]:
    """Outputs where the first cube^3 voxels of every examination are neighbours."""
    seen, count = batch.features, cube**3
    branch = net.branch
    assert branch is not None

    def neighbourhood(x: Array) -> Array:
        volume = (x.shape[0], cube, cube, cube)
        inside = seen.enhanced[:, :count].reshape(volume).astype(x.dtype)
        found = branch(x[:, :count].reshape(*volume, -1), inside).reshape(x.shape[0], count, -1)
        return jnp.pad(found, ((0, 0), (0, x.shape[1] - count), (0, 0)))

    return net(seen.voxel, scan_channels(net, batch), batch.inside, neighbourhood=neighbourhood)


def validation(
    graph: Any, examination: Examination, bank: Bank, *, seed: int, cube: int | None, scans: int = 64, voxels: int = 512
) -> Any:
    """A function of weights and stage: loss and errors over examinations that stay the same.

    cube : edge of the patches of the second stage, None where there is none.
    """
    key, arrays = jax.random.key(seed), tuple(bank[:-1])  # arguments: no program is to hold a bank's numbers

    def drawn(draw: Callable[..., Example], **size: int) -> Example:
        of = lambda key, arrays: draw(key, Bank._make([*arrays, bank.side]), examination, **size)  # noqa: E731
        return jax.jit(of)(key, arrays)

    fixed = [drawn(sets, scans=scans, voxels=voxels)]
    measure = [jax.jit(lambda w, b: of_sets(graph, w, b))]
    if cube is not None:
        fixed.append(drawn(patches, scans=scans, side=cube, beside=128))
        measure.append(jax.jit(lambda w, b: of_patches(graph, w, b, cube)))

    def validate(weights: Any, stage: int) -> dict[str, float]:
        loss, errors = measure[stage](weights, fixed[stage])
        return {"loss": float(loss), **{name: float(value) for name, value in errors.items()}}

    return validate
