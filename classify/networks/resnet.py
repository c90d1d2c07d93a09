"""ResNet10, 18, 34 and 50 of volumes, laid out as MedicalNet's (Chen et al. 2019) in MONAI."""

from typing import Annotated, Literal

from flax import nnx
from msgspec import Meta

from classify.networks.architecture import Architecture, Count
from classify.networks.blocks import EXPANSION, NormalisedConvolution, Residual, basic, bottleneck
from classify.networks.residual import ResidualNetwork, stages

BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
"""Of each stage, by depth; those of 50 are bottlenecks."""


class ResNetArchitecture(Architecture, frozen=True, tag="resnet"):
    """A residual network.

    As in MONAI's default, the 1^3 convolution of a shortcut has a bias (its "shortcut B"), no other one has: with 3
    channels and 2 outputs a ResNet10 has 14,401,346 weights. Norms are by groups instead of by batch, of as many
    weights. As in MedicalNet the stem has a stride of 2, so that a cell of the last stage is 32 voxels wide; MONAI's
    own default is 1.

    Attributes
    ----------
    channels : int
        Of the volumes.
    outputs : int
        Logits.
    depth : int
        10, 18, 34 or 50 layers.
    width : int
        Channels of the first stage; every further one has twice as many.
    groups : int
        Of channels in every norm (chosen: 8).
    stem_stride : int
        Of the first convolution, 1 or 2.
    """

    depth: Literal[10, 18, 34, 50] = 10
    width: Count = 64
    groups: Count = 8
    stem_stride: Annotated[int, Meta(ge=1, le=2)] = 2

    def build(self, seed: int = 0) -> "ResNet":
        """A network with weights drawn at random.

        Parameters
        ----------
        seed : int
            Of the draw.

        Returns
        -------
        ResNet
            Ready to be trained.
        """
        return ResNet(self, rngs=nnx.Rngs(seed))


class ResNet(ResidualNetwork):
    """Stem of 7^3 and a pool, four stages of residual blocks, mean over space, linear."""

    def __init__(self, architecture: ResNetArchitecture, *, rngs: nnx.Rngs):
        width, groups = architecture.width, architecture.groups
        block, expansion = (bottleneck, EXPANSION) if architecture.depth >= 50 else (basic, 1)

        def make(channels: int, stage: int, strides: int) -> Residual:
            return block(channels, width * 2**stage, groups, strides, shortcut_bias=True, rngs=rngs)

        super().__init__(
            architecture,
            NormalisedConvolution(
                architecture.channels, width, groups, taps=7, strides=architecture.stem_stride, rngs=rngs
            ),
            stages(width, BLOCKS[architecture.depth], make, expansion),
            nnx.Linear(expansion * width * 8, architecture.outputs, rngs=rngs),
        )
