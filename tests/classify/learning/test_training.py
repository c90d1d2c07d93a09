"""Classifiers learn what is there to be learnt, and a run that is killed ends as one that is not."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from classify.learning.augmentation import Augmentation
from classify.learning.config import LearningConfig
from classify.learning.examples import Examples
from classify.learning.outputs import outputs_of
from classify.learning.training import WEIGHTS_FILE, train_classifier
from classify.networks.files import load_network, network_facts
from classify.networks.mlp import MLPArchitecture
from classify.networks.resnet import ResNetArchitecture
from classify.networks.small import SmallCNNArchitecture
from estimate.networks.tree_file import read_facts
from estimate.networks.weights import weights_digest
from estimate.training.loop import CHECKPOINT, LOG, read_log
from simulate.base.errors import InputError


def blobs(count, edge, seed=0):
    """Noise with a sphere in it, brighter (class 1) or darker than the rest, anywhere; the sphere is the mask."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    grid = np.stack(np.meshgrid(*[np.arange(edge)] * 3, indexing="ij"), axis=-1)
    centres = rng.uniform(edge / 3, 2 * edge / 3, (count, 1, 1, 1, 3))
    inside = np.sum((grid - centres) ** 2, axis=-1) < (edge / 5) ** 2
    images = rng.standard_normal((count, edge, edge, edge)) + 1.5 * inside * (2 * labels - 1)[:, None, None, None]
    return images[..., None].astype(np.float32), labels, inside


def right(outputs, labels):
    guessed = outputs.argmax(-1) if outputs.shape[1] > 1 else outputs[:, 0] > 0
    return float(np.mean(guessed == labels))


NETWORK = SmallCNNArchitecture(channels=1, outputs=2, widths=(8, 8), groups=2, dropout=0.2)
CONFIG = LearningConfig(
    epochs=6, batch=4, learning_rate=0.01, checkpoint=2, augmentation=Augmentation(mirror=(0, 1, 2), noise=0.1)
)


def run(folder, **options):
    images, labels, _ = blobs(16, 8)
    held = Examples.of(*blobs(8, 8, seed=1)[:2])
    return train_classifier(
        NETWORK.build(seed=0), Examples.of(images, labels), folder, validation=held, config=CONFIG, **options
    )


def test_a_small_network_learns_what_the_eye_sees(tmp_path):
    images, labels, _ = blobs(24, 8)
    config = LearningConfig(epochs=25, batch=4, learning_rate=0.02)
    trained = train_classifier(NETWORK.build(seed=0), Examples.of(images, labels), tmp_path, config=config)
    fresh = Examples.of(*blobs(40, 8, seed=9)[:2])
    assert right(outputs_of(trained, fresh), fresh.targets) > 0.9
    assert right(outputs_of(NETWORK.build(seed=0), fresh), fresh.targets) < 0.8
    again = load_network(tmp_path / WEIGHTS_FILE, NETWORK)
    assert weights_digest(again) == weights_digest(trained)
    assert network_facts(tmp_path / WEIGHTS_FILE)["examples"] == 24


def test_a_mask_is_a_further_channel(tmp_path):
    """Images that are noise alone, classes that only the mask tells: inside or nothing."""
    rng = np.random.default_rng(0)
    labels = np.arange(16) % 2
    masks = np.zeros((16, 6, 6, 6), bool)
    masks[labels == 1, 2:4, 2:4, 2:4] = True
    images = rng.standard_normal((16, 6, 6, 6, 1)).astype(np.float32)
    given = Examples.of(images, labels, masks=masks)
    config = LearningConfig(epochs=40, batch=8, learning_rate=0.03, augmentation=Augmentation(mirror=(0,)))
    architecture = SmallCNNArchitecture(channels=2, outputs=1, widths=(8,), groups=2)
    trained = train_classifier(architecture.build(), given, tmp_path, config=config)
    assert right(outputs_of(trained, given), labels) == 1


def exponential_survival(outputs, targets):
    """Negative log-likelihood of exponential times with log rate `outputs`: -event log(rate) + rate time."""
    time, event = targets[:, 0], targets[:, 1]
    return jnp.mean(jnp.exp(outputs[:, 0]) * time - event * outputs[:, 0])


def test_a_survival_loss_is_given_as_a_function_and_finds_the_rate(tmp_path):
    """Without covariates the maximum is at events / total time."""
    rng = np.random.default_rng(0)
    times, event = rng.exponential(2.0, 64), rng.random(64) < 0.7
    given = Examples.of(np.zeros((64, 1), np.float32), np.stack([times, event], axis=1).astype(np.float32))
    config = LearningConfig(epochs=300, batch=64, learning_rate=0.05, weight_decay=0)
    architecture = MLPArchitecture(channels=1, outputs=1, hidden=())
    trained = train_classifier(architecture.build(), given, tmp_path, config=config, loss=exponential_survival)
    rate = np.exp(outputs_of(trained, given)[0, 0])
    np.testing.assert_allclose(rate, event.sum() / times.sum(), rtol=1e-3)


def test_training_stops_when_validation_no_longer_falls_and_keeps_its_best(tmp_path):
    """Labels at random: whatever is learnt is wrong elsewhere."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((32, 8)).astype(np.float32), rng.integers(0, 2, 32)
    held = Examples.of(rng.standard_normal((32, 8)).astype(np.float32), rng.integers(0, 2, 32))
    config = LearningConfig(epochs=200, batch=8, learning_rate=0.02, patience=5, class_weights=False, label_smoothing=0)
    given, network = Examples.of(x, y), MLPArchitecture(channels=8, hidden=(32,)).build()
    trained = train_classifier(network, given, tmp_path, validation=held, config=config)
    losses = [line["validation loss"] for line in read_log(tmp_path / LOG)]
    assert len(losses) == np.argmin(losses) + 1 + 5 < 200
    outputs = outputs_of(trained, held)
    at_end = np.mean(np.logaddexp.reduce(outputs, axis=1) - outputs[np.arange(32), held.targets])
    np.testing.assert_allclose(at_end, min(losses), rtol=1e-4)
    again = train_classifier(network, given, tmp_path, validation=held, config=config, resume=True)
    assert weights_digest(again) == weights_digest(trained)


def test_progress_is_told_of_every_epoch(tmp_path):
    told = []
    run(tmp_path, progress=lambda what, done, total: told.append((what.split(",")[0], done, total)))
    assert told == [("training", epoch, 6) for epoch in range(1, 7)]


def test_a_killed_training_goes_on_as_if_nothing_had_happened(tmp_path):
    """A process of its own that rests after every epoch, ended by SIGKILL at a checkpoint before its last."""
    whole = run(tmp_path / "whole")
    killed = tmp_path / "killed"
    program = f"import pathlib, {__name__} as tests; tests.run(pathlib.Path({str(killed)!r}), progress=tests.rest)"
    child = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[3])
    while not (killed / CHECKPOINT).exists() and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert read_facts(killed / CHECKPOINT)["step"] < 24
    resumed = run(killed, resume=True)
    assert weights_digest(resumed) == weights_digest(whole)
    assert (killed / LOG).read_text() == (tmp_path / "whole" / LOG).read_text()


def rest(what, done, total):
    time.sleep(0.2)


def test_another_run_is_not_gone_on_with(tmp_path):
    run(tmp_path)
    with pytest.raises(InputError, match="is there already; resume, or give another folder"):
        run(tmp_path)
    with pytest.raises(InputError, match="does not exist; leave resume out"):
        run(tmp_path / "none", resume=True)
    images, labels, _ = blobs(16, 8)
    with pytest.raises(InputError, match="config: is another one than asked for"):
        train_classifier(NETWORK.build(seed=0), Examples.of(images, 1 - labels), tmp_path, config=CONFIG, resume=True)
    with pytest.raises(InputError, match="examples: there are none"):
        train_classifier(NETWORK.build(), Examples.of(images[:0], labels[:0]), tmp_path / "empty")


def trained_resnet(folder, *, count, edge, epochs, width):
    """A ResNet10 that has seen phantoms of `blobs`."""
    config = LearningConfig(epochs=epochs, batch=4, learning_rate=1e-3, augmentation=Augmentation(mirror=(0, 1, 2)))
    network = ResNetArchitecture(channels=1, outputs=2, width=width).build(seed=0)
    return train_classifier(network, Examples.of(*blobs(count, edge)[:2]), folder, config=config)


def test_a_tiny_resnet_trains(tmp_path):
    trained_resnet(tmp_path, count=8, edge=16, epochs=2, width=8)
    assert np.isfinite(read_log(tmp_path / LOG)[-1]["loss"])


@pytest.mark.slow
def test_a_resnet_learns_200_phantoms_within_ten_minutes(tmp_path):
    begun = time.monotonic()
    trained = trained_resnet(tmp_path, count=200, edge=32, epochs=12, width=16)
    assert time.monotonic() - begun < 600
    fresh = Examples.of(*blobs(40, 32, seed=7)[:2])
    assert right(outputs_of(trained, fresh), fresh.targets) > 0.9
