"""The blocks of text that are written from committed results, by their names in README and guide."""

from collections.abc import Callable
from typing import NamedTuple

from blocks.attribution import attribution
from blocks.examinations import core_filling, joint, water_coverage
from blocks.fits import automatic_input, fit_coverage, kinetic_fit, model_choice, model_mismatch
from blocks.headline import headline
from blocks.qtmnet import accuracy, coverage, dispersion, marked, ranks, scales
from blocks.sweeps import sweeps


class Block(NamedTuple):
    """files : in docs/results, by the command that writes each.      write : their contents -> what stands there."""

    files: dict[str, str]
    write: Callable[..., str]


_COMPARISON = {"qtmnet-vs-2cxm": "tracerflow experiment qtmnet-vs-2cxm --config paper"}
_CALIBRATION = {"network-calibration": "tracerflow experiment network-calibration"}
_COVERAGE = {"fit-coverage": "python tests/benchmarks/bench_coverage.py --json FILE"}
_SPEED = {"kinetic-fit": "python tests/benchmarks/bench_kinetic_fit.py --json FILE"}

BLOCKS = {
    "headline": Block(_SPEED | _COVERAGE | _COMPARISON, headline),
    "accuracy": Block(_COMPARISON, accuracy),
    "coverage": Block(_COMPARISON, coverage),
    "dispersion": Block(_COMPARISON, dispersion),
    "scales": Block(_COMPARISON, scales),
    "marked": Block(_COMPARISON | _CALIBRATION, marked),
    "sweeps": Block(_COMPARISON, sweeps),
    "ranks": Block(_CALIBRATION, ranks),
    "fit-coverage": Block(_COVERAGE, fit_coverage),
    "water-coverage": Block(_COVERAGE, water_coverage),
    "model-choice": Block({"model-choice": "python tests/benchmarks/bench_model_choice.py --json FILE"}, model_choice),
    "model-mismatch": Block({"model-mismatch": "tracerflow experiment model-mismatch"}, model_mismatch),
    "automatic-input": Block({"aif_finder": "python tests/benchmarks/bench_aif.py --json FILE"}, automatic_input),
    "joint": Block({"joint-dce-asl": "tracerflow experiment joint-dce-asl --config paper"}, joint),
    "attribution": Block({"chain-attribution": "tracerflow experiment chain-attribution --config paper"}, attribution),
    "core-filling": Block({"core-filling": "tracerflow experiment core-filling"}, core_filling),
    "kinetic-fit": Block(
        _SPEED | {"kinetic-fit-delay": "python tests/benchmarks/bench_kinetic_fit.py --delay --json FILE"}, kinetic_fit
    ),
}
"""An experiment's file is the summary.json of its folder, or its table.csv."""
