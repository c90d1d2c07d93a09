"""One patient explained by every chain, and what each explanation is worth against the cause."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from classify.attribution.activation import grad_cam
from classify.attribution.coalitions import shapley
from classify.attribution.gradient import saliency
from classify.attribution.judges.regions import localisation
from classify.chain.attribution import ChainAttribution, chain_attribution
from classify.chain.chain import Chain
from classify.chain.estimator import Estimator
from experiments.studies.attribution.cohort import Case
from experiments.studies.attribution.heads import NETWORK, LinearHead, NetworkHead, features_of
from experiments.studies.attribution.measured import PARAMETERS
from experiments.studies.attribution.patients import BASELINE, FRAME_DURATION, Patient
from experiments.studies.attribution.randomised import left_of_it
from simulate.base.errors import InputError
from simulate.phantoms.priors import Region

FIRST_PASS = 30.0
"""Seconds from arrival on; what follows is the tail (chosen)."""

FRAMES, MAPS = "frames", "maps"

CHAIN, GRADIENT, GRADIENT_INPUT, CAM = "path, complete", "gradient", "gradient x input", "Grad-CAM"
METHODS = (CHAIN, GRADIENT, GRADIENT_INPUT, CAM)

PLACES = {"rim": Region.RIM, "core": Region.CORE, "infiltration": Region.INFILTRATION}
ELSEWHERE = "elsewhere"


def explain(
    case: Case, patient: Patient, estimator: Estimator, head_name: str, head: LinearHead | NetworkHead
) -> dict[str, Any]:
    """What `scores` finds, ready for JSON; {"refused": why} where a feature cannot be had of this patient."""
    try:
        features = None if head_name == NETWORK else features_of(head_name, case.region, np.asarray(estimator.weight))
    except InputError as refused:
        return {"refused": str(refused)}
    chain = Chain((estimator,), head, features)
    return scores(chain, chain_attribution(chain, patient.frames, baseline=BASELINE), patient)


def scores(chain: Chain, found: ChainAttribution, patient: Patient) -> dict[str, Any]:
    """Of one attribution: how complete it is, of which parameters, where and when, beside its rivals."""
    voxels, size = np.abs(found.frames.sum(axis=1)), np.abs(found.maps).sum()
    place = places(patient.region)
    energy = {each: float(voxels[place == k].sum() / voxels.sum()) for k, each in enumerate([*PLACES, ELSEWHERE])}
    by_parameter = np.abs(found.maps).sum(axis=1) / size
    by_place = np.asarray([found.maps[:, place == k].sum() for k in np.unique(place)])
    maps = np.asarray(chain.estimators[0].at(patient.frames).maps)
    worth = shapley(function(chain), maps, np.zeros_like(maps), _groups(place, len(maps)))
    randomised = None
    if isinstance(chain.decide, NetworkHead):
        tumour = np.isin(patient.region, list(PLACES.values())) & _counted(chain)
        randomised = left_of_it(chain.decide, maps, tumour)
    return {
        "logit": found.logit, "delta": found.delta, "gap": found.gap, "nodes": list(found.nodes),
        "levels": float(abs(found.frames.sum() - found.maps.sum()) / size),
        "excluded": float(np.mean(~_counted(chain))),
        "weight of the rim": float(np.mean(np.max(chain.estimators[0].weight, axis=0)[patient.rim])),
        "energy": energy, "parameters": dict(zip(PARAMETERS, by_parameter.tolist(), strict=True)),
        "tail": tail_share(found.frames),
        "context": None if found.context is None else float(np.abs(found.context.sum(axis=1)).sum() / voxels.sum()),
        "Shapley cosine": float(by_place @ worth.values / np.linalg.norm(by_place) / np.linalg.norm(worth.values)),
        "randomised": randomised,
        "auc": {level: aucs(each, patient) for level, each in magnitudes(chain, found, patient).items()},
    }  # fmt: skip


def aucs(magnitude: Mapping[str, np.ndarray], patient: Patient) -> dict[str, float]:
    """By method: of the rim's voxels against those outside of the tumour; chance is .5.

    Core and infiltration are left out: tumour cells are there too, and the simulator fills the core from the rim."""
    judged = ~np.isin(patient.region, [Region.CORE, Region.INFILTRATION])
    return {
        name: localisation(each, patient.rim, inside=judged).auc if each[judged].any() else 0.5
        for name, each in magnitude.items()
    }


def magnitudes(chain: Chain, found: ChainAttribution, patient: Patient) -> dict[str, dict[str, np.ndarray]]:
    """level -> method -> (v,), of frames summed over time, of maps over parameters."""
    local = chain.estimators[0].at(patient.frames)
    maps, moved = np.asarray(local.maps), patient.frames - patient.frames[:, :BASELINE].mean(axis=1, keepdims=True)
    slope = np.asarray(saliency(function(chain), maps))
    by_frames = np.asarray(local.back(slope))
    typical = np.abs(maps).mean(axis=1, keepdims=True)  # maps of different units, made comparable
    level = {
        FRAMES: {
            CHAIN: np.abs(found.frames.sum(axis=1)),
            GRADIENT: np.abs(by_frames).sum(axis=1),
            GRADIENT_INPUT: np.abs((by_frames * moved).sum(axis=1)),
        },
        MAPS: {
            CHAIN: np.abs(found.maps.sum(axis=0)),
            GRADIENT: np.abs(slope * typical).sum(axis=0),
            GRADIENT_INPUT: np.abs((slope * maps).sum(axis=0)),
        },
    }
    if isinstance(chain.decide, NetworkHead):
        level[MAPS][CAM] = activation(chain.decide, maps, patient)
    return level


def activation(head: NetworkHead, maps: np.ndarray, patient: Patient) -> np.ndarray:
    """(v,) Grad-CAM at the network's last layer of volumes."""
    network, layer = head.network, head.network.layers[-2]
    found = grad_cam(
        lambda x: network.features(head.volume(x), layer)[0], lambda h: network.head(h[None], layer)[0, 0], maps,
        shape=(patient.side,) * 3, affine=patient.affine,
    )  # fmt: skip
    return np.asarray(found.map).ravel()


def tail_share(frames: np.ndarray) -> float:
    """Of the sum of magnitudes of frames, each summed over voxels: the share after the first pass."""
    size = np.abs(frames.sum(axis=0))
    begins = BASELINE + round(FIRST_PASS / FRAME_DURATION)
    return float(size[begins:].sum() / size.sum())


def places(region: np.ndarray) -> np.ndarray:
    """(v,) number in the order of `PLACES`, then `ELSEWHERE`."""
    found = np.full(region.shape, len(PLACES))
    for k, which in enumerate(PLACES.values()):
        found[region == which] = k
    return found


def _groups(place: np.ndarray, maps: int) -> np.ndarray:
    """(p, v) numbers without gaps, where a place has no voxels."""
    return np.tile(np.unique(place, return_inverse=True)[1], (maps, 1))


def function(chain: Chain) -> Callable[[Any], Any]:
    """Of maps to the logit; a network is compiled once for all patients."""
    return chain.decide.function if isinstance(chain.decide, NetworkHead) else chain.logit


def _counted(chain: Chain) -> np.ndarray:
    """(v,) where any map is believed."""
    return np.any(chain.estimators[0].weight, axis=0)
