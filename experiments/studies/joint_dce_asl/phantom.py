"""One phantom with both tracers through the same vessels: simulated, estimated and compared with its truth."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from estimate.qtmnet.weights import Trained
from experiments.studies.joint_dce_asl.flows import NETWORK, flows_of
from experiments.studies.joint_dce_asl.scales import maps_by_scale
from experiments.studies.joint_dce_asl.scores import region_errors
from simulate.banks.contrast import LONGEST, inlet_curve
from simulate.banks.phantoms import LATE
from simulate.base.constants import HAEMATOCRIT, asl_blood_t1
from simulate.base.types import DCEProtocol
from simulate.examinations.asl import simulate_asl
from simulate.examinations.dce import Simulation, simulate_dce
from simulate.examinations.perfused import PerfusedPhantom, vascularise
from simulate.inputs.random import draw_inlet, window_area
from simulate.labelling.series import asl_protocol
from simulate.phantoms.tumour import tumour_phantom

SIDE, TERMINALS = 16, 2000
DELAYS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
SIGMA = 0.002
"""Noise of an ASL volume over M0."""

ONSET, SPACING, FRAMES, SNR = 20.0, 2.0, 120, 50.0
"""Of the contrast series: arrival [s], frames [s], their number, signal before contrast over sigma."""


def compare_on_phantom(index: int, seed: int, trained: Trained) -> dict[str, Any]:
    """way -> region -> parameter -> see `region_errors`; ways are those of scaling and of measuring flow.

    Of a way of scaling, the region "all" holds the error of the scale itself.
    """
    draw, grow, dce, asl, inlet = jax.random.split(jax.random.fold_in(jax.random.key(seed), index), 5)
    mixing = float(np.random.default_rng([seed, index]).choice([0.0, 0.25, 0.5, 1.0]))
    late = float(np.random.default_rng([seed, index, 1]).uniform(*LATE["water"]))
    phantom = tumour_phantom(draw, shape=(SIDE, SIDE, SIDE), grade=4, mixing=mixing, max_precapillary_delay=late)
    perfused = vascularise(grow, phantom, terminals=TERMINALS, haematocrit=HAEMATOCRIT)
    labelled = simulate_asl(asl, perfused, asl_protocol(DELAYS, t1_blood=asl_blood_t1(3.0)), sigma=SIGMA)
    flows = flows_of(labelled)
    contrast, area = _with_contrast(dce, inlet, perfused)
    region = np.asarray(phantom.region)
    record: dict[str, Any] = {}
    for way, scaled in maps_by_scale(trained, contrast, area, flows, labelled.truth["CBF"]).items():
        record[way] = region_errors(region, scaled.values, dict(contrast.truth.values), scaled.stderr)
        record[way]["all"] = {"scale": [abs(scaled.log_error), scaled.log_error]}
    for way, flow in flows.items():
        stderr = flow.stderr if way == NETWORK else None  # those of a fit make no interval of a logarithm
        record[way] = region_errors(region, flow.values(), dict(labelled.truth.values), stderr)
    return record


def _with_contrast(key: Key[Array, ""], inlet: Key[Array, ""], perfused: PerfusedPhantom) -> tuple[Simulation, float]:
    """DCE of the phantom, and the true area of its arterial input [mmol/L s]."""
    seconds = jnp.arange(LONGEST + 1)
    drawn = draw_inlet(inlet, seconds)
    knots = np.arange(0.0, LONGEST - 2, 0.25)
    aif = np.asarray(inlet_curve(drawn, jnp.asarray(knots)))
    protocol = DCEProtocol(
        times=SPACING * np.arange(FRAMES), repetition_time=0.004, flip_angle=20.0, baseline=int(ONSET // SPACING),
        frame_duration=SPACING,
    )  # fmt: skip
    measured = simulate_dce(key, perfused, protocol, aif, aif_times=knots + ONSET, snr=SNR)
    return measured, float(window_area(drawn, seconds))
