"""A classifier trained on examples, by the loop that trains every network here."""

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
from jax import Array

from classify.learning.augmentation import augmented
from classify.learning.config import LearningConfig
from classify.learning.examples import Batch, Examples, drawn
from classify.learning.losses import OutputLoss, binary_cross_entropy, checked_labels, class_weights, cross_entropy
from classify.learning.outputs import as_input, outputs_by
from classify.networks.files import save_network
from classify.networks.staged import Apply, Staged, pure, with_weights
from estimate.training.devices import copy, split
from estimate.training.loop import CHECKPOINT, Loss, Rhythm, Stage, train
from estimate.training.optimisers import adamw
from estimate.training.patience import Patience
from simulate.base.errors import InputError
from simulate.base.progress import Progress, silent
from simulate.files.atomic import AnyPath, prepare_output_folder

WEIGHTS_FILE = "weights.safetensors"


def train_classifier(
    network: Staged,
    examples: Examples,
    out: AnyPath,
    *,
    validation: Examples | None = None,
    config: LearningConfig | None = None,
    loss: OutputLoss | None = None,
    resume: bool = False,
    progress: Progress = silent,
) -> Staged:
    """Train a network on examples, with AdamW, checkpoints and, given a validation, early stopping.

    A run is a function of network, examples, configuration and seed: killed and resumed it ends with the same weights,
    to the bit.

    Parameters
    ----------
    network : Staged
        Just built, or trained before on something else.
    examples : Examples
        To learn from.
    out : path
        Folder for weights, log and checkpoint.
    validation : Examples
        Held out of the training part alone, never the test: the weights that are kept are those of its lowest loss.
        Without it all epochs are run, and the last weights are kept.
    config : LearningConfig
        How to train; its defaults if left out.
    loss : callable
        (outputs (b, o), targets (b, ...)) -> number; cross-entropy if left out. Then targets are classes.
    resume : bool
        Go on from the checkpoint in the folder.
    progress : callable
        Told of every epoch (`simulate.base.progress.Progress`).

    Returns
    -------
    Staged
        The network, trained; `out` holds it as weights.safetensors.

    Raises
    ------
    InputError
        For a folder of another run, for no examples, and for targets that are not classes.
    """
    config = LearningConfig() if config is None else config
    folder = _folder(out, resume)
    if not len(examples):
        raise InputError("examples", "", "there are none", "give some to learn from")
    judge = loss if loss is not None else _default_loss(network, examples, config)
    apply, weights = pure(network)
    size = min(config.batch, len(examples))
    epoch = len(examples) // size

    def batch_at(step: int) -> Batch:
        balanced = config.sampling == "balanced"
        return examples.batch(drawn(examples, step, size, seed=config.seed, balanced=balanced).tolist())

    learnt = train(
        folder, copy(weights), [_stage(config, epoch, _objective(apply, judge, config))], batch_at, seed=config.seed,
        config={"learning": msgspec.to_builtins(config), "network": msgspec.to_builtins(network.architecture),
                "examples": len(examples), "targets": _digest(examples)},
        validate=None if validation is None else partial(_validated, outputs_by(apply), validation, judge, size),
        rhythm=Rhythm(log=epoch, validate=epoch, checkpoint=config.checkpoint * epoch, average=config.average),
        patience=None if validation is None else Patience("loss", config.patience), resume=resume,
        report=lambda done, total, line: progress(f"training, loss {line['loss']:.3f}", done // epoch, total // epoch),
    )  # fmt: skip
    trained = with_weights(network, jax.tree.map(jnp.asarray, learnt))
    save_network(folder / WEIGHTS_FILE, trained, {"learning": msgspec.to_builtins(config), "examples": len(examples)})
    return trained


def _folder(out: AnyPath, resume: bool) -> Path:
    folder = prepare_output_folder(out)
    if resume != (folder / CHECKPOINT).exists():
        cure = "leave resume out" if resume else "resume, or give another folder"
        raise InputError(folder / CHECKPOINT, "", "does not exist" if resume else "is there already", cure)
    return folder


def _default_loss(network: Staged, examples: Examples, config: LearningConfig) -> OutputLoss:
    classes = max(2, network.architecture.outputs)
    labels = checked_labels(examples.targets, classes)
    weights = jnp.asarray(class_weights(labels, classes), jnp.float32) if config.class_weights else None
    entropy = cross_entropy if network.architecture.outputs > 1 else binary_cross_entropy
    return partial(entropy, smoothing=config.label_smoothing, weights=weights)


def _stage(config: LearningConfig, epoch: int, objective: Loss) -> Stage:
    return Stage("training", config.epochs * epoch, config.learning_rate, objective, rule=adamw(config.weight_decay))


def _objective(apply: Apply, judge: OutputLoss, config: LearningConfig) -> Loss:
    """The loss of a batch, augmented and with dropout."""

    def objective(weights: Any, key: Array, batch: Batch) -> tuple[Array, dict[str, Array]]:
        vary, leave_out = jax.random.split(key)
        image, mask = split(batch.image), None if batch.mask is None else batch.mask.astype(batch.image.dtype)
        if image.ndim == 5:
            keys = jax.random.split(vary, len(image))
            change = partial(augmented, by=config.augmentation)
            image, mask = jax.vmap(change)(keys, image, mask)
        outputs = apply(weights, as_input(image, mask), batch.tabular, key=leave_out)
        return judge(outputs, batch.target), {}

    return objective


def _validated(
    outputs: Any, validation: Examples, judge: OutputLoss, size: int, weights: Any, stage: int
) -> dict[str, float]:
    found = outputs(weights, validation, min(size, len(validation)))
    return {"loss": float(judge(jnp.asarray(found), jnp.asarray(validation.targets)))}


def _digest(examples: Examples) -> str:
    """Of the targets in their order: a resumed run has to be given the same."""
    return hashlib.sha256(np.ascontiguousarray(examples.targets).tobytes()).hexdigest()
