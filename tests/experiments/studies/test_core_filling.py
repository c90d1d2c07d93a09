"""A core without flow fills by diffusion from its rim, and only so."""

import numpy as np
import pytest

from experiments.cli import run
from experiments.studies.core_filling import core_rows, findings, run_core_filling
from simulate.phantoms.priors import Region


@pytest.fixture(scope="module")
def found():
    return run_core_filling(edge=18, terminals=40, duration=300.0, spacing=5.0)


def test_the_deeper_the_later_and_the_less(found):
    rim, *core = core_rows(found)
    assert len(core) >= 3
    half_times = [row.half_time for row in (rim, *core)]
    assert np.all(np.diff(half_times) > 10)
    assert np.all(np.diff([row.last for row in core]) < 0)


def test_without_diffusion_the_core_stays_empty_and_the_rim_does_not(found):
    core = found.region == Region.CORE
    assert np.all(found.without[core] == 0)
    assert found.without[found.region == Region.RIM].max() > 0.3


def test_diffusion_moves_tracer_and_makes_none(found):
    assert found.imbalance < 1e-12
    rim = found.region == Region.RIM
    assert found.with_diffusion[rim].mean() < found.without[rim].mean()


def test_the_sentences_follow_the_numbers(found):
    rim, *core = core_rows(found)
    first, second = findings(found)
    assert f"after {rim.half_time:.0f} s" in first
    assert f"{core[-1].last:.2f} mmol/L" in first
    assert "holds 0 mmol/L" in second


@pytest.mark.slow
def test_the_command_writes_tables_and_a_figure(tmp_path, capsys):
    assert run(["experiment", "core-filling", "--out", str(tmp_path)]) == 0
    assert {p.name for p in tmp_path.iterdir()} == {"table.csv", "table.md", "figure.png"}
    assert "Without diffusion the core holds 0 mmol/L" in capsys.readouterr().out
