"""Train QTMnet on phantoms: banks, stages, calibration; weights with log, configuration and pictures."""

import json
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from msgspec import structs

from estimate.networks.weights import weights_digest
from estimate.qtmnet.learning.calibration import calibrate
from estimate.qtmnet.learning.objectives import new_network, patches_loss, sets_loss, validation
from estimate.qtmnet.learning.tasks import TASKS
from estimate.qtmnet.network import Architecture, QTMnet
from estimate.qtmnet.weights import Trained, load_uncalibrated, save_trained
from estimate.training.devices import copy
from estimate.training.loop import CHECKPOINT, LOG, Rhythm, Stage, read_log, train
from experiments.config.train import BanksConfig, TrainConfig
from experiments.report.figures.training import training_figure
from simulate.banks.phantoms import Bank, BankConfig, read_bank, write_bank
from simulate.base.errors import InputError
from simulate.base.progress import Progress, silent
from simulate.base.typed import as_record
from simulate.files.atomic import prepare_output_folder, temporary_sibling, write_atomically
from simulate.files.provenance import InputFile, provenance

COMMANDS = {"contrast": "qtmnet", "water": "qtmnet-asl"}
"""By tracer: what the command that trains and its file of weights are called."""

CONFIGURATION, PICTURE = "config.json", "loss.png"

FACTS = ("config", "devices", "last session [s]", "provenance")
"""What is kept of a training."""


def weights_file(tracer: str) -> str:
    return f"{COMMANDS[tracer]}.safetensors"


def train_qtmnet(config: TrainConfig, out: Path, *, resume: bool = False, progress: Progress = silent) -> Trained:
    """Train with a configuration, for its tracer, into the folder `out`.

    Phantoms lie in out/phantoms and are kept. `resume` goes on from the last checkpoint; without it, a folder that
    holds one is refused.

    Raises InputError for a folder of another run.
    """
    out = prepare_output_folder(out)
    if resume != (out / CHECKPOINT).exists():
        cure = "leave out --resume" if resume else "give --resume to go on, or another folder"
        raise InputError(out / CHECKPOINT, "", "does not exist" if resume else "is there already", cure)
    tracer, seed = config.tracer, config.seed
    splits = ("train", "validate", "calibrate")
    banks = {split: _bank(config.phantoms, tracer, split, out, progress) for split in splits}
    shape = Architecture(**structs.asdict(config.network), tracer=tracer)
    graph, weights = new_network(shape, seed)
    stages, cube = _stages(config, graph, banks["train"].side), config.patches.side
    branch = len(stages) > 1
    begun = time.monotonic()

    def report(done: int, total: int, line: dict[str, Any]) -> None:
        progress(f"training, loss {line['loss']:.3f}", done, total)

    average = train(
        out, copy(weights), stages, copy(tuple(banks["train"][:-1])), seed=seed, config=as_record(config),
        validate=validation(
            graph, TASKS[tracer].examination, banks["validate"], seed=seed + 1, cube=cube if branch else None
        ),
        rhythm=Rhythm(**structs.asdict(config.rhythm)), resume=resume, report=report,
    )  # fmt: skip
    facts = {
        "config": as_record(config),
        "devices": [str(d.device_kind) for d in jax.devices()],
        "last session [s]": round(time.monotonic() - begun),
        "provenance": _provenance(config, as_record(config), []),
    }
    trained = _calibrated(nnx.merge(graph, average), branch, banks["calibrate"], config, facts)
    _write(out, trained)
    with temporary_sibling(out / PICTURE) as path:
        training_figure(read_log(out / LOG)).savefig(path, dpi=110)
    return trained


def calibrate_qtmnet(config: TrainConfig, weights: Path, out: Path, *, progress: Progress = silent) -> Trained:
    """Calibrate trained weights again, as `train_qtmnet` does with this configuration, into the folder `out`.

    Raises InputError for a file of other weights.
    """
    network, uses_branch, before = load_uncalibrated(weights, tracer=config.tracer)
    out = prepare_output_folder(out)
    bank = _bank(config.phantoms, config.tracer, "calibrate", out, progress)
    given = as_record(config)
    used = {"": given[""], "phantoms": given["phantoms"], "patches": {"side": config.patches.side}}
    again = {
        "config": used,
        "sha256 of the weights, as before": weights_digest(network),
        "provenance": _provenance(config, used, [weights]),
    }
    kept = {name: before[name] for name in FACTS if name in before}
    trained = _calibrated(network, uses_branch, bank, config, {**kept, "calibrated again": again})
    _write(out, trained)
    return trained


def _calibrated(network: QTMnet, uses_branch: bool, bank: Bank, config: TrainConfig, facts: dict[str, Any]) -> Trained:
    cube = config.patches.side if uses_branch else None
    found = calibrate(*nnx.split(network), bank, seed=config.seed + 2, cube=cube)
    return Trained(network, uses_branch, found, facts)


def _provenance(config: TrainConfig, used: dict[str, dict[str, Any]], inputs: list[Path]) -> dict[str, Any]:
    command = f"tracerflow train {COMMANDS[config.tracer]}"
    read = [InputFile.of(path) for path in inputs]
    return provenance(command=command, options=used, inputs=read, seed=config.seed)


def _write(out: Path, trained: Trained) -> None:
    """Weights and, to be read without them, their facts."""
    save_trained(out / weights_file(trained.network.shape.tracer), trained)
    write_atomically(out / CONFIGURATION, json.dumps(trained.facts, indent=2) + "\n")


def _stages(config: TrainConfig, graph: Any, side: int) -> list[Stage]:
    one, two = config.sets, config.patches
    loss = sets_loss(graph, scans=one.scans, voxels=one.voxels, side=side)
    stages = [Stage("sets", one.steps, one.learning_rate, loss)]
    if config.network.branch and two.steps:
        loss = patches_loss(graph, scans=two.scans, cube=two.side, beside=two.beside, side=side)
        stages.append(Stage("patches", two.steps, two.learning_rate, loss))
    return stages


def _bank(config: BanksConfig, tracer: str, split: str, out: Path, progress: Progress) -> Bank:
    rough = config.rough if split == "train" else 1.0
    made = BankConfig(config.seed, split, config.side, config.terminals, rough=rough, tracer=tracer)
    folder = out / "phantoms" / split
    paths = write_bank(folder, made, getattr(config, split), what=f"{split} phantoms", progress=progress)
    found = read_bank(paths, tracer=tracer)
    return found.map(jnp.asarray)
