"""How long a small ResNet takes to learn from 200 volumes of 32^3 with four maps, and whether it has learnt.

    python tests/benchmarks/bench_training.py [--epochs 30] [--width 16]

A volume is noise with a ball whose second map is bright or not; 50 further ones are held out. The time is that of the
whole training, compilation, augmentation and checkpoints among it.
"""

import argparse
import tempfile
import time

import numpy as np

from classify import ResNetArchitecture
from classify.learning.augmentation import Augmentation
from classify.learning.config import LearningConfig
from classify.learning.examples import Examples
from classify.learning.outputs import outputs_of
from classify.learning.training import train_classifier
from classify.statistics.delong import auc

EDGE, CHANNELS, TRAIN, HELD_OUT = 32, 4, 200, 50


def volumes(count, seed):
    """(n, d, h, w, 4) and (n,) labels: a ball of 4 to 9 voxels somewhere, by .5 brighter in the second map or not."""
    rng = np.random.default_rng(seed)
    axis = np.arange(EDGE)
    labels = np.arange(count) % 2
    found = rng.standard_normal((count, EDGE, EDGE, EDGE, CHANNELS)).astype(np.float32)
    for volume, label in zip(found, labels, strict=True):
        centre, radius = rng.uniform(9, EDGE - 9, 3), rng.uniform(4, 9)
        away = sum((each - c) ** 2 for each, c in zip(np.meshgrid(axis, axis, axis, indexing="ij"), centre))  # noqa: B905
        ball = away < radius**2
        volume[ball] += 1.0
        volume[ball, 1] += 0.5 * label
    return found, labels


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--width", type=int, default=16, help="channels of the first stage")
    options = parser.parse_args()
    config = LearningConfig(
        epochs=options.epochs, batch=8, learning_rate=1e-3, augmentation=Augmentation(mirror=(0, 1, 2))
    )
    network = ResNetArchitecture(channels=CHANNELS, outputs=1, depth=10, width=options.width).build(0)
    examples = Examples.of(*volumes(TRAIN, 0))
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        trained = train_classifier(network, examples, folder, config=config)
    took = time.perf_counter() - begun
    held, labels = volumes(HELD_OUT, 1)
    area = float(auc(labels, np.asarray(outputs_of(trained, Examples.of(held, labels)))[:, 0])[0])
    print(
        f"ResNet10 of width {options.width}, {TRAIN} volumes of {EDGE}^3 x {CHANNELS}, {options.epochs} epochs: "
        f"{took:.0f} s, {1e3 * took / options.epochs / TRAIN:.0f} ms a volume; AUC of {HELD_OUT} held out {area:.3f}"
    )


if __name__ == "__main__":
    main()
