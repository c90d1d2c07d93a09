"""Where the truth lies in what a network states: ranks and coverage of one network on the phantoms of a bank, and which
scans it calls out of distribution (Talts et al. 2018, arXiv 1804.06788).

For every voxel and quantity a network states a value and a standard error: a normal distribution of the logarithm, or
of seconds. Where this is the posterior, the truth's rank in it is uniform, and an interval of any level covers that
share. Each phantom counts alike, since voxels of one err together.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import norm

from estimate.qtmnet.contrast.maps import LEAKAGE, too_low_to_see
from estimate.qtmnet.learning.contrast import unseen_injection
from estimate.qtmnet.learning.evaluation import Evaluation, common_errors, evaluations
from estimate.qtmnet.learning.limits import contexts
from estimate.qtmnet.learning.tasks import TASKS
from estimate.qtmnet.out_of_distribution import distance
from estimate.qtmnet.prediction import TO_ONE_SIGMA
from estimate.qtmnet.weights import Trained
from experiments.studies.bootstrap import mean_interval
from experiments.studies.regions import FEWEST, REGIONS, RIM
from simulate.banks.phantoms import Bank

LEVELS = (0.5, 0.68, 0.8, 0.9, 0.95)
BINS = 20
PLACES = {"all voxels": None, RIM: int(REGIONS[RIM])}
"""What is looked at, and which region that is."""


def examine(trained: Trained, bank: Bank, seed: int) -> dict[str, Any]:
    """A network on the phantoms of a bank, ready for JSON: "phantoms" (see `ranked`), "common error", "stated common
    error", "limits"."""
    net, scored = trained.network, trained.network.shape.sees.scored
    scans = list(evaluations(net, bank, seed=seed, branch=trained.uses_branch))
    together = common_errors(iter(scans))
    return {
        "phantoms": [ranked(scan, scored, trained.calibration_factor) for scan in scans],
        "common error": dict(zip(scored, together.tolist(), strict=True)),
        "stated common error": trained.calibration.common_error,
        "limits": {"of calibration": trained.calibration.limits["scans"], "here": _marked(trained, bank, seed)},
    }


def ranked(scan: Evaluation, scored: Sequence[str], factor: dict[str, float]) -> dict[str, Any]:
    """region -> quantity -> ranks' counts and shares inside intervals, of one phantom.

    factor : by which calibration multiplies the network's own spread, by quantity.
    """
    out: dict[str, Any] = {}
    for name, which in PLACES.items():
        here = np.ones(len(scan.region), bool) if which is None else np.asarray(scan.region) == which
        out[name] = {}
        for i, quantity in enumerate(scored):
            z = np.asarray(scan.error)[:, i] / (np.asarray(scan.spread)[:, i] * factor[quantity] / TO_ONE_SIGMA)
            z = z[here & np.asarray(scan.counted)[:, i] & _stated(scan, quantity, scored, factor)]
            if z.size < FEWEST:
                continue
            counts = np.histogram(norm.cdf(z), bins=BINS, range=(0, 1))[0]
            inside = [float(np.mean(np.abs(z) <= norm.ppf(0.5 + level / 2))) for level in LEVELS]
            out[name][quantity] = {"counts": (counts / counts.sum()).tolist(), "inside": inside}
    return out


def _stated(scan: Evaluation, quantity: str, scored: Sequence[str], factor: dict[str, float]) -> np.ndarray:
    """Voxels with an interval: where PS may be too low to be seen, there is none of it."""
    if "PS" not in scored or quantity not in LEAKAGE:
        return np.ones(len(scan.region), bool)
    i = scored.index("PS")
    half = factor["PS"] * np.asarray(scan.spread)[:, i]
    return ~too_low_to_see(np.asarray(scan.level), np.asarray(scan.value)[:, i], half)


def _marked(trained: Trained, bank: Bank, seed: int) -> dict[str, float]:
    """Share of scans that are called out of distribution, by what they are like."""
    task, known = TASKS[trained.network.shape.tracer], trained.training_distribution.scans
    kinds = {"familiar": task.examination, "strange, as in calibration": task.out_of_distribution}
    if trained.network.shape.tracer == "contrast":
        kinds["infusion of 15 to 60 s, another family"] = unseen_injection
    found = {}
    for number, (kind, examination) in enumerate(kinds.items()):
        seen = contexts(trained.network, bank, examination, jax.random.key(seed + number))
        found[kind] = float(np.mean(np.asarray(distance(known, jnp.asarray(seen))) > known.limit))
    return found


class Row(NamedTuple):
    """Of a quantity in a region: mean over phantoms of the share of truths inside intervals of a level, with its 95 %
    interval, and how many phantoms."""

    tracer: str
    region: str
    quantity: str
    level: float
    mean: float
    low: float
    high: float
    phantoms: int


def rows_of(found: dict[str, Any]) -> Iterator[Row]:
    """In the order of tracers, regions, quantities and levels."""
    for tracer, result in found.items():
        for region in PLACES:
            for quantity in result["stated common error"]:
                inside = gathered(result, region, quantity, "inside")
                for i, level in enumerate(LEVELS if len(inside) else ()):
                    yield Row(tracer, region, quantity, level, *mean_interval(inside[:, i]), len(inside))


def gathered(result: dict[str, Any], region: str, quantity: str, what: str) -> np.ndarray:
    """(phantoms, ...) of those that have the region."""
    return np.asarray([p[region][quantity][what] for p in result["phantoms"] if quantity in p[region]])
