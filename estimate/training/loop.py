r"""A training loop: gradient steps, averaged weights, checkpoints, and a resumption that changes nothing.

Step n draws its batch from the key folded with n, so a run that was killed and resumed sees the same batches as
one that was not. The weights that count are an exponential average of those stepped through.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jaxtyping import ArrayLike

from estimate.networks.tree_file import load_tree, read_facts, save_tree
from estimate.training.optimisers import Rule, muon
from estimate.training.patience import Lowest, Patience
from simulate.base.errors import InputError

CHECKPOINT, LOG = "checkpoint.safetensors", "log.jsonl"


class State(NamedTuple):
    """Weights, their average, and the optimiser's state."""

    weights: Any
    average: Any
    optimiser: Any


Loss = Callable[[Any, Array, Any], tuple[Array, dict[str, Array]]]
"""(weights, key, data) -> loss and what else the log shall hold; draws its own batch with the key."""


@dataclass(frozen=True)
class Stage:
    """Steps that share a loss and a learning rate, which warms up and then falls as a cosine to 1 % of its height."""

    name: str
    steps: int
    learning_rate: float
    loss: Loss
    warm_up: int = 100
    rule: Rule = muon

    def optimiser(self) -> optax.GradientTransformation:
        """The rule on gradients that are clipped to a norm of 1."""
        rate = optax.warmup_cosine_decay_schedule(
            0.0, self.learning_rate, min(self.warm_up, self.steps // 5 + 1), self.steps, 0.01 * self.learning_rate
        )
        return optax.chain(optax.clip_by_global_norm(1.0), self.rule(rate))


@dataclass(frozen=True)
class Rhythm:
    """Steps between lines of the log, validations and checkpoints; decay of the averaged weights per step."""

    log: int = 50
    validate: int = 500
    checkpoint: int = 500
    average: float = 0.999


Report = Callable[[int, int, dict[str, Any]], None]
"""Called at every line of the log with steps done, steps in all, and the line."""


def train(
    folder: Path,
    weights: Any,
    stages: list[Stage],
    data: Any,
    *,
    seed: int,
    config: dict[str, Any],
    validate: Callable[[Any, int], dict[str, float]] | None = None,
    rhythm: Rhythm = Rhythm(),
    patience: Patience | None = None,
    resume: bool = False,
    report: Report | None = None,
) -> Any:
    """Run all stages and return the averaged weights; `folder` gets the checkpoint and the log.

    validate : called with the averaged weights and the stage's number.
    data : handed to every loss, on its device; or a function of the step that gives what is handed.
    config : what makes the run; a checkpoint of another is refused.
    patience : when to stop before the end; the weights are then those of the best validation.

    Raises
    ------
    InputError where `resume` finds no checkpoint or one of another configuration.
    """
    config = json.loads(json.dumps(config))
    state, step = State(weights, weights, stages[0].optimiser().init(weights)), 0
    log = _Log(folder / LOG)
    if resume:
        state, step = _resumed(folder / CHECKPOINT, state, config)
    known = log.keep(step)
    lowest = None if patience is None else Lowest(folder, patience, known)
    data_at = data if callable(data) else lambda step: data
    total, done = sum(stage.steps for stage in stages), 0
    for number, stage in enumerate(stages):
        if step >= done + stage.steps or (lowest is not None and lowest.over):
            done += stage.steps
            continue
        optimiser = stage.optimiser()
        if step == done:  # a stage begins with an optimiser that remembers nothing
            state = state._replace(optimiser=optimiser.init(state.weights))
        advance = _advance(stage, optimiser, rhythm.average)
        lines: list[dict[str, Array]] = []
        last = False
        while not last:
            key = jax.random.fold_in(jax.random.key(seed), step)
            jax.block_until_ready(lines[-2:-1])  # one step runs while the next one's data are made, and no more wait
            state, line = advance(state, key, data_at(step), step - done)
            lines.append(line)
            step += 1
            last = step == done + stage.steps
            if step % rhythm.log == 0 or last:
                entry = {"step": step, "stage": stage.name, **_mean(lines)}
                lines = []
                if validate is not None and (step % rhythm.validate == 0 or last):
                    entry |= {f"validation {k}": v for k, v in validate(state.average, number).items()}
                if not np.isfinite(entry["loss"]):
                    raise FloatingPointError(f"the loss is not finite at step {step}")
                if lowest is not None and f"validation {lowest.patience.measure}" in entry:
                    lowest.add(entry, state.average)
                    last = last or lowest.over
                log.add(entry)
                if report is not None:
                    report(step, total, entry)
            if step % rhythm.checkpoint == 0 or last:
                save_tree(folder / CHECKPOINT, state, {"step": step, "config": config})
        done += stage.steps
    return state.average if lowest is None else lowest.weights(state.average)


def _resumed(checkpoint: Path, like: State, config: dict[str, Any]) -> tuple[State, int]:
    """State and number of steps."""
    facts = read_facts(checkpoint)
    if facts["config"] != config:
        raise InputError(checkpoint, "config", "is another one than asked for", "give the same, or another folder")
    return load_tree(checkpoint, like), facts["step"]


def _advance(stage: Stage, optimiser: optax.GradientTransformation, decay: float) -> Any:
    """One compiled step: draw, differentiate, update, average."""

    @jax.jit
    def advance(state: State, key: Array, data: Any, since: ArrayLike) -> tuple[State, dict[str, Array]]:
        (loss, facts), slope = jax.value_and_grad(stage.loss, has_aux=True)(state.weights, key, data)
        change, memory = optimiser.update(slope, state.optimiser, state.weights)
        weights = optax.apply_updates(state.weights, change)
        keep = jnp.minimum(decay, (1.0 + jnp.asarray(since)) / (10.0 + jnp.asarray(since)))
        average = jax.tree.map(lambda a, w: keep * a + (1 - keep) * w, state.average, weights)
        return State(weights, average, memory), {"loss": loss, **facts}

    return advance


def _mean(lines: list[dict[str, Array]]) -> dict[str, float]:
    return {name: float(np.mean([float(line[name]) for line in lines])) for name in lines[0]}


class _Log:
    """JSON lines; those beyond a resumed step are taken back."""

    def __init__(self, path: Path):
        self.path = path

    def keep(self, step: int) -> list[dict[str, Any]]:
        lines = self.path.read_text().splitlines() if step and self.path.exists() else []
        known = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        self.path.write_text("".join(line + "\n" for line in known))
        return [json.loads(line) for line in known]

    def add(self, entry: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")


def read_log(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
