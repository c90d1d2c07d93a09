"""`tracerflow train qtmnet` from configuration to weights that work; a killed run resumed is the same run."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from estimate.networks.weights import weights_digest
from estimate.qtmnet.weights import load_trained
from experiments.cli import run
from experiments.config.toml import read_toml
from experiments.config.train import QTMnetConfig
from simulate.base.errors import InputError

TINY = """
seed = 1
[phantoms]
train = 3
validate = 1
calibrate = 2
side = 8
terminals = 60
[network]
encoder = 16
blocks = 1
context = 16
decoder = 16
branch = {branch}
[sets]
steps = {steps}
scans = 4
voxels = 32
[patches]
steps = {steps}
scans = 2
side = 8
beside = 16
[rhythm]
log = 2
validate = 4
checkpoint = 2
"""


def configuration(folder, *, steps=4, branch="[8, 8, 8]"):
    path = folder / "tiny.toml"
    path.write_text(TINY.format(steps=steps, branch=branch))
    return path


def trained_at_once(folder):
    """As few steps as there are, without the convolutional branch."""
    config = configuration(folder, steps=2, branch="[]")
    assert run(["train", "qtmnet", str(config), "--out", str(folder / "out")]) == 0
    return config


def test_training_makes_weights_that_work(tmp_path, capsys):
    config = trained_at_once(tmp_path)
    assert "90 % intervals" in capsys.readouterr().out
    trained = load_trained(tmp_path / "out" / "qtmnet.safetensors")
    assert not trained.uses_branch
    assert all(np.isfinite(q) and q > 0 for q in trained.calibration_factor.values())
    assert all(np.isfinite(known.limit) and known.limit > 0 for known in trained.training_distribution)
    assert trained.facts["config"]["sets"]["scans"] == 4
    facts = json.loads((tmp_path / "out" / "config.json").read_text())
    assert facts["provenance"]["seed"] == 1
    assert (tmp_path / "out" / "loss.png").stat().st_size > 0
    assert run(["train", "qtmnet", str(config), "--out", str(tmp_path / "out")]) == 2
    assert "--resume" in capsys.readouterr().err
    weights, other = tmp_path / "out" / "qtmnet.safetensors", tmp_path / "again"
    more = ["--calibrate", str(weights), "--resume"]
    assert run(["train", "qtmnet", str(config), "--out", str(other), *more]) == 2
    assert "leave out one" in capsys.readouterr().err


@pytest.mark.slow  # calibration itself always, at the end of a training
def test_weights_are_calibrated_again(tmp_path):
    config = trained_at_once(tmp_path)
    weights, other = tmp_path / "out" / "qtmnet.safetensors", tmp_path / "again"
    trained = load_trained(weights)
    assert run(["train", "qtmnet", str(config), "--calibrate", str(weights), "--out", str(other)]) == 0
    again = load_trained(other / "qtmnet.safetensors")
    assert again.calibration[:2] == trained.calibration[:2]  # the same phantoms, the same network
    assert again.calibration.limits == trained.calibration.limits
    assert set(again.calibration.common_error) == set(trained.calibration_factor)
    digest = again.facts["calibrated again"]["sha256 of the weights, as before"]
    assert digest == weights_digest(again.network) == weights_digest(trained.network)
    assert again.facts["config"] == trained.facts["config"]
    assert again.facts["calibrated again"]["provenance"]["inputs"][0]["path"] == str(weights)


@pytest.mark.slow  # that for contrast always, by the same loop
def test_the_network_for_labelled_water_is_trained_alike(tmp_path, capsys):
    config = configuration(tmp_path, steps=2, branch="[]")
    assert run(["train", "qtmnet-asl", str(config), "--out", str(tmp_path / "out")]) == 0
    assert "CBF" in capsys.readouterr().out
    trained = load_trained(tmp_path / "out" / "qtmnet-asl.safetensors", tracer="water")
    assert trained.network.shape.tracer == "water"
    assert set(trained.calibration_factor) == {"CBF", "ATT"}
    assert all(np.isfinite(known.limit) and known.limit > 0 for known in trained.training_distribution)
    facts = json.loads((tmp_path / "out" / "config.json").read_text())
    assert facts["provenance"]["command"] == "tracerflow train qtmnet-asl"
    (tmp_path / "given.toml").write_text("[network]\naif_given = true\n")  # there is no AIF to give
    assert run(["train", "qtmnet-asl", str(tmp_path / "given.toml"), "--out", str(tmp_path / "other")]) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("[rhythm]\nlog = 3\nvalidate = 4\n", "multiple of rhythm.log"),
        ("[patches]\nside = 6\n", "multiple of 4"),
        ("[network]\nbranch = [8, 8]\n", "three scales"),
        ("[sets]\nlearning_rate = 7.0\n", "0 to 1|1e-06 to 1"),
        ("[set]\n", "no known section"),
    ],
)
def test_wrong_configurations_are_refused(tmp_path, change, words):
    path = tmp_path / "wrong.toml"
    path.write_text(change)
    with pytest.raises(InputError, match=words):
        read_toml(path, QTMnetConfig)


def test_resuming_nothing_and_missing_out_are_refused(tmp_path, capsys):
    assert run(["train", "qtmnet", "--out", str(tmp_path / "none"), "--resume"]) == 2
    assert "leave out --resume" in capsys.readouterr().err
    assert run(["train", "qtmnet"]) == 2
    assert "--out" in capsys.readouterr().err
    assert run(["train", "qtmnet", "--print-config"]) == 0
    assert "learning_rate" in capsys.readouterr().out


def command(config, out, *more):
    code = "import sys; from experiments.cli import run; sys.exit(run(sys.argv[1:]))"
    return [sys.executable, "-c", code, "train", "qtmnet", str(config), "--out", str(out), *more]


@pytest.mark.slow
def test_a_run_killed_at_a_random_step_and_resumed_has_the_same_loss_curve(tmp_path):
    config = configuration(tmp_path, steps=40)
    subprocess.run(command(config, tmp_path / "whole"), check=True)
    whole = (tmp_path / "whole" / "log.jsonl").read_text()
    killed = tmp_path / "killed"
    stop = 2 * np.random.default_rng().integers(2, 38)
    process = subprocess.Popen(command(config, killed))
    log = killed / "log.jsonl"
    while process.poll() is None and not (log.exists() and log.read_text().count("\n") >= stop // 2):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "qtmnet.safetensors").exists()
    subprocess.run(command(config, killed, "--resume"), check=True)
    assert log.read_text() == whole
    one, two = (load_trained(tmp_path / name / "qtmnet.safetensors") for name in ("whole", "killed"))
    assert one.calibration_factor == two.calibration_factor


@pytest.mark.slow
def test_two_devices_train_the_same_network(tmp_path):
    """Batches split over devices change rounding alone."""
    losses = []
    for devices in (1, 2):
        out = tmp_path / str(devices)
        environment = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
        subprocess.run(command(configuration(tmp_path), out), check=True, env=environment)
        losses.append([json.loads(line)["loss"] for line in (out / "log.jsonl").read_text().splitlines()])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3)
