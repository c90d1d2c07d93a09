"""QTMnet's maps of one examination, by the source of their scale: tissue curves alone leave that of the input open."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from estimate.arterial.scale import CBFMap, InputScale, asl_scale, population_scale
from estimate.qtmnet.contrast.inference import predict_scan
from estimate.qtmnet.contrast.maps import parameters, with_scale_error
from estimate.qtmnet.contrast.targets import SCORED
from estimate.qtmnet.weights import Trained
from estimate.signal.concentration import concentration_from_signal
from experiments.studies.joint_dce_asl.flows import NETWORK, RECOMMENDED, WHITE_PAPER, Flow
from simulate.base.constants import HAEMATOCRIT
from simulate.base.units import to_clinical
from simulate.examinations.dce import Simulation

PARAMETERS = ("Fp", "PS", "vp", "ve")
POPULATION, TRUE_CBF, TRUE_AREA = "population", "asl, true CBF", "true area"
BY_FLOW = {"asl, white paper": WHITE_PAPER, "asl, multi-delay": RECOMMENDED, "asl, QTMnet": NETWORK}
"""Scales by a measured blood flow, and which."""

SCALES = (POPULATION, *BY_FLOW, TRUE_CBF, TRUE_AREA)


class Scaled(NamedTuple):
    """values, stderr : (*space) of `PARAMETERS` by name, clinical units.      log_error : ln(area/true area)."""

    values: dict[str, np.ndarray]
    stderr: dict[str, np.ndarray]
    log_error: float


def maps_by_scale(
    trained: Trained, measured: Simulation, area: float, flows: Mapping[str, Flow], true_cbf: Any
) -> dict[str, Scaled]:
    """In the order of `SCALES`.

    area : the input's true one [mmol/L s].      flows, true_cbf : of the same phantom, by way of measuring; and true.
    """
    protocol, perfused = measured.series.protocol, measured.perfused
    concentration, _ = concentration_from_signal(measured.series, t10=perfused.t10)
    shape = perfused.blood.shape
    where = np.nonzero(np.ones(shape, bool))
    curves = np.nan_to_num(np.asarray(concentration.data, np.float32)[where])
    spacing = float(np.asarray(protocol.frame_duration))
    found = predict_scan(trained, curves, np.asarray(protocol.times), spacing, where=where, shape=shape)

    def by_flow(cbf: CBFMap) -> InputScale:
        plasma = np.exp(found.value[:, SCORED.index("Fp")]) * found.level
        own = trained.calibration.common_error["Fp"]
        return asl_scale(plasma, cbf.at(where), haematocrit=HAEMATOCRIT, own_error=own)

    scales = {
        POPULATION: population_scale(),
        **{scale: by_flow(_cbf_map(flows[way])) for scale, way in BY_FLOW.items()},
        TRUE_CBF: by_flow(CBFMap(true_cbf, np.zeros(shape))),
        TRUE_AREA: InputScale(area, 0.0, "known"),
    }
    out = {}
    for name, scale in scales.items():
        values = with_scale_error(parameters(found, scale, trained.calibration_factor), scale)
        maps, stderr = (
            {p: np.asarray(to_clinical(p, values[f"{p}{end}"])).reshape(shape) for p in PARAMETERS}
            for end in ("", "_stderr")
        )
        out[name] = Scaled(maps, stderr, float(np.log(scale.area / area)))
    return out


def _cbf_map(flow: Flow) -> CBFMap:
    return CBFMap(np.where(flow.sound, flow.cbf, np.nan), flow.stderr.get("CBF"))
