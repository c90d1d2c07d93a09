"""Blood flow and arrival of labelled water, by every way of measuring them."""

from typing import Any, NamedTuple

import numpy as np

from estimate.asl.differences import Differences, differences
from estimate.asl.multi_delay import fit_asl
from estimate.asl.network import network_maps
from estimate.asl.white_paper import white_paper_cbf
from simulate.base.constants import PARTITION_COEFFICIENT
from simulate.base.types import ASLProtocol
from simulate.base.units import to_clinical
from simulate.examinations.asl import ASLSimulation
from simulate.scanner.measurement import PROTON_DENSITY

WHITE_PAPER, RECOMMENDED, GKM, NETWORK = FLOWS = (
    "white paper, PLD 2 s", "multi-delay, recommended", "multi-delay, gkm", "QTMnet",
)  # fmt: skip
WHITE_PAPER_DELAY = 2.0  # s


class Flow(NamedTuple):
    """cbf (*space) [mL/100 g/min] and att [s], where it is measured; where the method itself calls its answer sound;
    and standard errors of CBF and ATT, where it gives them."""

    cbf: np.ndarray
    att: np.ndarray | None
    sound: np.ndarray
    stderr: dict[str, np.ndarray]

    def values(self) -> dict[str, np.ndarray]:
        """What is measured, by name."""
        return {"CBF": self.cbf} | ({} if self.att is None else {"ATT": self.att})


def flows_of(labelled: ASLSimulation) -> dict[str, Flow]:
    """By way of measuring, in the order of `FLOWS`."""
    protocol = labelled.protocol
    found = differences(np.asarray(labelled.data), protocol)
    return {
        WHITE_PAPER: _by_white_paper(found, protocol),
        RECOMMENDED: _by_fit(found, protocol, "recommended"),
        GKM: _by_fit(found, protocol, "gkm"),
        NETWORK: _by_network(found, protocol),
    }


def _labelling(protocol: ASLProtocol) -> dict[str, Any]:
    return {"labelling": protocol.labelling, "label_efficiency": float(protocol.label_efficiency)}


def _by_white_paper(found: Differences, protocol: ASLProtocol) -> Flow:
    """From one delay alone."""
    k = int(np.argmin(np.abs(found.post_label_delay - WHITE_PAPER_DELAY)))
    cbf = np.asarray(white_paper_cbf(
        found.value[..., k], PROTON_DENSITY, label_duration=found.label_duration[k],
        post_label_delay=found.post_label_delay[k], partition_coefficient=PARTITION_COEFFICIENT,
        t1_blood=protocol.t1_blood, **_labelling(protocol),
    ))  # fmt: skip
    return Flow(cbf, None, cbf > 0, {})


def _by_fit(found: Differences, protocol: ASLProtocol, model: str) -> Flow:
    fit = fit_asl(
        found.value, found.label_duration + found.post_label_delay, m0=PROTON_DENSITY,
        label_duration=found.label_duration, t1_blood=float(protocol.t1_blood), model=model,
        repeats=found.repeats, **_labelling(protocol),
    )  # fmt: skip
    stderr = {name: np.asarray(fit.stderr[name]) for name in ("CBF", "ATT")}
    return Flow(np.asarray(fit.cbf), np.asarray(fit.att), np.asarray(fit.status) == 0, stderr)


def _by_network(found: Differences, protocol: ASLProtocol) -> Flow:
    shape = found.value.shape[:3]
    where = np.nonzero(np.ones(shape, bool))
    maps = network_maps(
        found, np.full(len(where[0]), PROTON_DENSITY), where, late=np.zeros(len(where[0])),
        label_efficiency=float(protocol.label_efficiency), partition_coefficient=PARTITION_COEFFICIENT,
        t1_blood=float(protocol.t1_blood),
    )  # fmt: skip

    def clinical(name: str, end: str = "") -> np.ndarray:
        return np.asarray(to_clinical(name, maps.values[f"{name}{end}"])).reshape(shape)

    stderr = {name: clinical(name, "_stderr") for name in ("CBF", "ATT")}
    return Flow(clinical("CBF"), clinical("ATT"), maps.status.reshape(shape) == 0, stderr)
