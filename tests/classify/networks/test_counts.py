"""Networks have exactly as many weights as the published ones: a block, norm or bias too many would show."""

import pytest
from flax import nnx

from classify.networks.aslnet import ASLNetArchitecture
from classify.networks.mlp import MLPArchitecture
from classify.networks.resnet import ResNetArchitecture
from classify.networks.staged import weight_count


def resnet(depth, **options):
    return ResNetArchitecture(channels=3, outputs=2, depth=depth, **options)


COUNTS = [
    # 18, 34 and 50 by the sum over MONAI's layers: convolutions, biases of shortcuts, two for a norm's channel
    (resnet(10), 14_401_346),
    (resnet(10, stem_stride=1), 14_401_346),
    (resnet(18), 33_205_826),
    (resnet(34), 63_515_458),
    (resnet(50), 46_206_914),
    # of the paper's own program
    (ASLNetArchitecture(channels=4, outputs=3), 8_331_587),
    (ASLNetArchitecture(channels=4, outputs=3, final_norm=True), 8_332_099),
    (ASLNetArchitecture(channels=4, outputs=1, tabular=3), 8_480_969),
    (MLPArchitecture(channels=5, outputs=1, hidden=()), 6),
]


@pytest.mark.parametrize(("architecture", "count"), COUNTS, ids=lambda value: str(value))
def test_the_number_of_weights_is_the_published_one(architecture, count):
    assert weight_count(nnx.eval_shape(architecture.build)) == count
