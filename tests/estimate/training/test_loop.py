"""The training loop on a problem whose answer is known: it gets there, and a killed run gets to the same place."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from estimate.networks.tree_file import load_tree, read_facts, save_tree
from estimate.training.loop import LOG, Rhythm, Stage, train
from estimate.training.optimisers import adamw
from estimate.training.patience import Patience
from simulate.base.errors import InputError

TRUE = np.array([[1.0, -1.0], [0.5, 1.5], [0.0, 1.0]])


def loss(weights, key, data):
    """Linear regression from noisy draws of the data."""
    x = jax.random.normal(key, (64, 3)) * data
    y = x @ TRUE + 0.01 * jax.random.normal(jax.random.fold_in(key, 1), (64, 2))
    error = x @ weights["kernel"] + weights["bias"] - y
    return jnp.mean(error**2), {"largest": jnp.max(jnp.abs(error))}


START = {"kernel": jnp.zeros((3, 2)), "bias": jnp.ones(2)}
STAGES = [Stage("first", 60, 0.2, loss, warm_up=5), Stage("second", 40, 0.05, loss, warm_up=5)]
RHYTHM = Rhythm(log=10, validate=20, checkpoint=20, average=0.8)


def run(folder, **options):
    folder.mkdir(exist_ok=True)
    return train(
        folder, START, STAGES, jnp.ones(3), seed=3, config={"a": 1}, rhythm=RHYTHM,
        validate=lambda weights, stage: {"gap": float(jnp.abs(weights["kernel"] - TRUE).max())}, **options,
    )  # fmt: skip


@pytest.mark.x64
def test_it_finds_the_minimum_and_keeps_a_log(tmp_path):
    weights = run(tmp_path)
    np.testing.assert_allclose(weights["kernel"], TRUE, atol=0.02)
    np.testing.assert_allclose(weights["bias"], 0, atol=0.02)
    log = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert [line["step"] for line in log] == list(range(10, 101, 10))
    assert [line["stage"] for line in log] == ["first"] * 6 + ["second"] * 4
    assert log[-1]["loss"] < 1e-3 < log[0]["loss"]
    assert "validation gap" in log[1]
    assert "validation gap" not in log[0]


@pytest.mark.parametrize("killed_at", [30, 60, 90])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path, killed_at):
    whole = run(tmp_path / "whole")

    def kill(step, total, line):
        if step == killed_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", report=kill)
    resumed = run(tmp_path / "killed", resume=True)
    for name in START:
        np.testing.assert_array_equal(resumed[name], whole[name])
    assert (tmp_path / "killed" / LOG).read_text() == (tmp_path / "whole" / LOG).read_text()


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    run(tmp_path)
    with pytest.raises(InputError, match="another"):
        train(tmp_path, START, STAGES, jnp.ones(3), seed=3, config={"a": 2}, rhythm=RHYTHM, resume=True)
    with pytest.raises(InputError, match="no such file"):
        train(tmp_path / "none", START, STAGES, jnp.ones(3), seed=3, config={"a": 1}, resume=True)


def test_a_loss_that_is_not_finite_ends_the_run(tmp_path):
    stages = [Stage("bad", 10, 0.1, lambda w, key, data: (jnp.sum(w["bias"]) * jnp.nan, {}))]
    with pytest.raises(FloatingPointError, match="step 10"):
        train(tmp_path, START, stages, jnp.ones(3), seed=0, config={}, rhythm=RHYTHM)
    with pytest.raises(FloatingPointError, match="validation gap is not finite at step 20"):
        train(
            tmp_path, START, STAGES, jnp.ones(3), seed=0, config={}, rhythm=RHYTHM,
            validate=lambda weights, stage: {"gap": float("nan")}, patience=Patience("gap", 4),
        )  # fmt: skip


def test_trees_survive_their_file(tmp_path):
    tree = {"a": jnp.arange(6.0).reshape(2, 3).T, "b": [jnp.asarray(3), {"c": jnp.ones((), jnp.float32)}]}
    save_tree(tmp_path / "tree.safetensors", tree, {"note": "x", "list": [1, 2]})
    again = load_tree(tmp_path / "tree.safetensors", tree)
    for old, new in zip(jax.tree.leaves(tree), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(old, new)
        assert old.dtype == new.dtype
    assert read_facts(tmp_path / "tree.safetensors") == {"note": "x", "list": [1, 2]}
    with pytest.raises(InputError, match="shape"):
        load_tree(tmp_path / "tree.safetensors", {**tree, "a": jnp.zeros((3, 3))})
    (tmp_path / "broken").write_bytes((tmp_path / "tree.safetensors").read_bytes()[:-9])
    with pytest.raises(InputError, match="cannot be read"):
        load_tree(tmp_path / "broken", tree)


def test_data_may_be_a_function_of_the_step(tmp_path):
    """Data that a function gives are those that are handed as they are."""
    given, seen = {}, []

    def data(step):
        seen.append(step)
        return jnp.ones(3)

    for name, source in (("fixed", jnp.ones(3)), ("function", data)):
        (tmp_path / name).mkdir()
        given[name] = train(tmp_path / name, START, STAGES, source, seed=3, config={}, rhythm=RHYTHM)
    assert seen == list(range(100))
    np.testing.assert_array_equal(given["fixed"]["kernel"], given["function"]["kernel"])


@pytest.mark.parametrize("killed_at", [None, 50])
def test_a_run_whose_validation_rises_stops_and_gives_its_best_weights(tmp_path, killed_at):
    """The bias falls towards 0 and is judged by how far it is from 1/2: the best is where it passes."""

    def kill(step, total, line):
        if step == killed_at:
            raise KeyboardInterrupt

    options = {
        "seed": 3, "config": {}, "rhythm": Rhythm(log=5, validate=5, checkpoint=10, average=0.0),
        "validate": lambda weights, stage: {"gap": float(jnp.abs(weights["bias"][0] - 0.5))},
        "patience": Patience("gap", 4),
    }  # fmt: skip
    stages = [Stage("only", 200, 0.02, loss, warm_up=5, rule=adamw(0.0))]
    if killed_at:
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, START, stages, jnp.ones(3), report=kill, **options)
    weights = train(tmp_path, START, stages, jnp.ones(3), resume=bool(killed_at), **options)
    gaps = [json.loads(line)["validation gap"] for line in (tmp_path / LOG).read_text().splitlines()]
    assert len(gaps) == np.argmin(gaps) + 1 + 4 < 40
    np.testing.assert_allclose(jnp.abs(weights["bias"][0] - 0.5), min(gaps), rtol=1e-6)
