"""The frame of residual networks of volumes: a stem, stages of blocks, the mean over space."""

from collections.abc import Callable, Sequence

import jax
from flax import nnx
from jax import Array
from jaxtyping import Float

from classify.networks.architecture import Architecture
from classify.networks.blocks import NormalisedConvolution, Residual
from classify.networks.layers import Other, Volume, global_mean, max_pool
from classify.networks.staged import Layer, Staged


def stages(
    width: int, blocks: Sequence[int], make: Callable[[int, int, int], Residual], expansion: int = 1
) -> list[list[Residual]]:
    """`blocks` of every stage, each from make(channels in, stage, strides); width, then twice as much at each stage.

    expansion : channels that leave a block, for each of its width.
    """
    made, before = [], width
    for stage, count in enumerate(blocks):
        of_stage = []
        for number in range(count):
            of_stage.append(make(before, stage, 2 if stage and not number else 1))
            before = expansion * width * 2**stage
        made.append(of_stage)
    return made


class ResidualNetwork(Staged):
    """Stem and pool, stages of residual blocks, mean over space, linear."""

    def __init__(
        self, architecture: Architecture, stem: NormalisedConvolution, stages: list[list[Residual]], dense: nnx.Linear
    ):
        self.architecture = architecture
        self.stem, self.stages, self.dense = stem, nnx.List([nnx.List(stage) for stage in stages]), dense

    def steps(self) -> dict[str, Layer]:
        blocks = {
            f"stage{i}.block{j}": block for i, stage in enumerate(self.stages, 1) for j, block in enumerate(stage, 1)
        }
        return {"stem": self._stem, **blocks, "logits": self._logits}

    def _stem(self, x: Volume, condition: Array | None, key: Array | None) -> Other:
        return max_pool(jax.nn.relu(self.stem(x)))

    def _logits(self, x: Volume, condition: Array | None, key: Array | None) -> Float[Array, "b o"]:
        return self.dense(global_mean(x))
