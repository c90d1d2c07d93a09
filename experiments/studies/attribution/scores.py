"""Where and when an attribution points, beside where and when the label was made."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from classify.attribution.coalitions import shapley
from classify.chain.attribution import ChainAttribution, chain_attribution
from classify.chain.chain import Chain
from classify.statistics.delong import auc
from experiments.studies.attribution.patients import BASELINE, ONSET, PROTOCOL, Patient
from simulate.phantoms.priors import Region

LEFT_OUT = (Region.CORE, Region.INFILTRATION)
"""Neither cause nor not: they hold tumour, and what made the rim leaky made them as well."""

FIRST_PASS = 60.0
"""Seconds after contrast enters the block; the tail is what follows."""

PLACES = {"rim": (Region.RIM,), "core": (Region.CORE,), "infiltration": (Region.INFILTRATION,)}


def score(chain: Chain, patient: Patient, *, errors: int = 0) -> dict[str, Any]:
    """Of one patient's chain, ready for JSON: gap, where, when, and how others point."""
    found = chain_attribution(chain, patient.frames, baseline=BASELINE, errors=errors)
    of_voxels = np.abs(found.frames.sum(axis=1))
    record: dict[str, Any] = {
        "logit": found.logit, "delta": found.delta, "gap": found.gap, "nodes": found.nodes,
        "excluded": found.excluded, "auc": {"frames": _auc(of_voxels, patient)},
    }  # fmt: skip
    record["auc"] |= _rivals(chain, patient)
    record["share"] = _shares(of_voxels, patient)
    record["rim share of voxels"] = float(patient.rim.mean())
    record["tail"] = _tail(found)
    record["before"] = float(np.abs(found.frames[:, :BASELINE].sum(axis=0)).sum() / _in_time(found).sum())
    if found.context is not None:
        record["context"] = float(np.abs(found.context).sum() / np.abs(found.frames).sum())
    record["shapley cosine"] = _shapley_cosine(chain, patient, found)
    return record


def _auc(of_voxels: np.ndarray, patient: Patient) -> float:
    """Of the rim against all but `LEFT_OUT`; chance is .5."""
    counts = ~np.isin(patient.region, LEFT_OUT)
    return float(auc(patient.rim[counts], of_voxels[counts])[0])


def _shares(of_voxels: np.ndarray, patient: Patient) -> dict[str, float]:
    total = max(float(of_voxels.sum()), 1e-300)
    return {name: float(of_voxels[np.isin(patient.region, where)].sum()) / total for name, where in PLACES.items()}


def _in_time(found: ChainAttribution) -> np.ndarray:
    return np.abs(found.frames.sum(axis=0))


def _tail(found: ChainAttribution) -> float:
    """Share of what lies after the first pass: |sum over voxels and frames| of both windows."""
    late = np.asarray(PROTOCOL.times) >= ONSET + FIRST_PASS
    windows = [np.abs(found.frames[:, which].sum(axis=1)).sum() for which in (~late, late)]
    return float(windows[1] / max(sum(windows), 1e-300))


def _rivals(chain: Chain, patient: Patient) -> dict[str, float]:
    """Gradients at the measured frames, and what the classifier says of its own maps."""
    local = [each.at(patient.frames) for each in chain.estimators]
    maps = np.concatenate([np.asarray(each.maps) for each in local])
    gradient = np.asarray(jax.grad(chain.logit)(jnp.asarray(maps)))
    parts = np.split(gradient, np.cumsum([len(each.maps) for each in local])[:-1])
    back = np.sum([each.back(part) for each, part in zip(local, parts, strict=True)], axis=0)
    away = patient.frames - patient.frames[:, :BASELINE].mean(axis=1, keepdims=True)
    return {
        "saliency": _auc(np.abs(back).sum(axis=1), patient),
        "gradient x input": _auc(np.abs((back * away).sum(axis=1)), patient),
        "maps alone": _auc(np.abs((gradient * maps).sum(axis=0)), patient),
    }


def _shapley_cosine(chain: Chain, patient: Patient, found: ChainAttribution) -> float:
    """Of the regions' exact Shapley values, on maps that are 0 where a region is left out, and their attributions."""
    groups = np.full(len(patient.region), len(PLACES))
    for number, where in enumerate(PLACES.values()):
        groups[np.isin(patient.region, where)] = number
    groups = np.unique(groups, return_inverse=True)[1]  # not all regions are in every patient
    maps = np.concatenate([np.asarray(each.at(patient.frames).maps) for each in chain.estimators])
    everywhere = np.broadcast_to(groups, maps.shape)
    values = np.asarray(shapley(chain.logit, maps, np.zeros_like(maps), everywhere).values)
    ours = np.bincount(groups, found.maps.sum(axis=0), len(values))
    return float(values @ ours / max(np.linalg.norm(values) * np.linalg.norm(ours), 1e-300))
