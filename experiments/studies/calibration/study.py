"""Does a network's stated posterior hold? Simulation-based calibration of both networks (Talts et al. 2018, arXiv
1804.06788).

On phantoms of which neither training, calibration nor comparison knew, with protocol, input and noise drawn as in
training, a network states for every voxel and quantity a value and a standard deviation (widened by its calibration):
a normal distribution of the logarithm, or of seconds. Where this is the posterior, the truth's rank in it is uniform,
and an interval of any level covers that share. Each phantom counts alike, since voxels of one err together, and
intervals are bootstraps over phantoms. Whether its limits tell strange scans from familiar ones is looked at as well.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import norm

from estimate.qtmnet.contrast.maps import LEAKAGE, too_low_to_see
from estimate.qtmnet.familiarity import distance
from estimate.qtmnet.learning.contrast import unseen_injection
from estimate.qtmnet.learning.judgement import Judged, common_errors, judged
from estimate.qtmnet.learning.lessons import LESSONS
from estimate.qtmnet.learning.limits import contexts
from estimate.qtmnet.prediction import TO_ONE_SIGMA
from estimate.qtmnet.weights import SHIPPED, SHIPPED_ASL, Trained, load_trained
from simulate.banks.phantoms import Bank, BankConfig, read_bank, write_bank
from simulate.base.progress import Progress, silent
from simulate.files.atomic import prepare_output_folder, sha256_of, write_atomically
from simulate.files.pieces import key, run_pieces
from simulate.phantoms.priors import Region

WEIGHTS = {"contrast": SHIPPED, "water": SHIPPED_ASL}
"""By tracer."""

SIZES = {"small": 24, "paper": 150}
"""Phantoms of each tracer."""

SEED = 1000
"""Of the phantoms, unlike that of any other bank."""

LEVELS = (0.5, 0.68, 0.8, 0.9, 0.95)
BINS = 20
FEWEST = 15
"""Voxels of a region below which a phantom does not count for it."""

REGIONS = {"all voxels": None, "tumour rim": int(Region.RIM)}


def run_network_calibration(out: Path, *, size: str = "small", progress: Progress = silent) -> dict[str, Any]:
    """tracer -> {"phantoms": see `ranked`, "common error", "stated common error", "limits"}; kept in `out`."""
    folder = prepare_output_folder(out)
    found = {}
    for tracer, weights in WEIGHTS.items():
        config = BankConfig(seed=SEED, split="test", tracer=tracer)
        files = write_bank(
            folder / "phantoms" / tracer, config, SIZES[size],
            what=f"phantoms, {tracer}", progress=progress,
        )  # fmt: skip

        def work(_: int, path: Path, tracer: str = tracer, files: list[Path] = files) -> None:
            bank = read_bank(files, tracer=tracer).map(jnp.asarray)
            result = examine(load_trained(WEIGHTS[tracer], tracer=tracer), bank)
            write_atomically(path, json.dumps(result) + "\n")

        made = key({"bank": config._asdict(), "count": SIZES[size], "weights": sha256_of(weights)}, __name__)
        (piece,) = run_pieces(folder / "scores" / tracer, [f"{tracer}-{made}.json"], work, config={}, code=())
        found[tracer] = json.loads(piece.read_text())
    return found


def examine(trained: Trained, bank: Bank) -> dict[str, Any]:
    """A network on the phantoms of a bank, ready for JSON."""
    net, scored = trained.network, trained.network.shape.sees.scored
    scans = list(judged(net, bank, seed=SEED, branch=trained.uses_branch))
    together = common_errors(iter(scans))
    return {
        "phantoms": [ranked(scan, scored, trained.widening) for scan in scans],
        "common error": dict(zip(scored, together.tolist(), strict=True)),
        "stated common error": trained.calibration.common_error,
        "limits": {"of calibration": trained.calibration.limits["scans"], "here": _marked(trained, bank)},
    }


def ranked(scan: Judged, scored: Sequence[str], widening: dict[str, float]) -> dict[str, Any]:
    """region -> quantity -> ranks' counts and shares inside intervals, of one phantom."""
    out: dict[str, Any] = {}
    for name, which in REGIONS.items():
        here = np.ones(len(scan.region), bool) if which is None else np.asarray(scan.region) == which
        out[name] = {}
        for i, quantity in enumerate(scored):
            z = np.asarray(scan.error)[:, i] / (np.asarray(scan.spread)[:, i] * widening[quantity] / TO_ONE_SIGMA)
            z = z[here & np.asarray(scan.counted)[:, i] & _stated(scan, quantity, scored, widening)]
            if z.size < FEWEST:
                continue
            counts = np.histogram(norm.cdf(z), bins=BINS, range=(0, 1))[0]
            inside = [float(np.mean(np.abs(z) <= norm.ppf(0.5 + level / 2))) for level in LEVELS]
            out[name][quantity] = {"counts": (counts / counts.sum()).tolist(), "inside": inside}
    return out


def _stated(scan: Judged, quantity: str, scored: Sequence[str], widening: dict[str, float]) -> np.ndarray:
    """Voxels with an interval: where PS may be too low to be seen, there is none of it."""
    if "PS" not in scored or quantity not in LEAKAGE:
        return np.ones(len(scan.region), bool)
    i = scored.index("PS")
    half = widening["PS"] * np.asarray(scan.spread)[:, i]
    return ~too_low_to_see(np.asarray(scan.level), np.asarray(scan.value)[:, i], half)


def _marked(trained: Trained, bank: Bank) -> dict[str, float]:
    """Share of scans that are called unlike the training's, by what they are like."""
    lesson, cloud = LESSONS[trained.network.shape.tracer], trained.familiarity.scans
    kinds = {"familiar": lesson.examination, "strange, as in calibration": lesson.strange}
    if trained.network.shape.tracer == "contrast":
        kinds["infusion of 15 to 60 s, another family"] = unseen_injection
    found = {}
    for number, (kind, examination) in enumerate(kinds.items()):
        seen = contexts(trained.network, bank, examination, jax.random.key(SEED + number))
        found[kind] = float(np.mean(np.asarray(distance(cloud, jnp.asarray(seen))) > cloud.limit))
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
        for region in REGIONS:
            for quantity in result["stated common error"]:
                inside = gathered(result, region, quantity, "inside")
                for i, level in enumerate(LEVELS if len(inside) else ()):
                    yield Row(tracer, region, quantity, level, *_mean_of(inside[:, i]), len(inside))


def gathered(result: dict[str, Any], region: str, quantity: str, what: str) -> np.ndarray:
    """(phantoms, ...) of those that have the region."""
    return np.asarray([p[region][quantity][what] for p in result["phantoms"] if quantity in p[region]])


def _mean_of(values: np.ndarray) -> tuple[float, float, float]:
    """Mean over phantoms with the 95 % interval of a bootstrap over them."""
    drawn = np.random.default_rng(0).integers(0, len(values), (1000, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), (2.5, 97.5))
    return float(values.mean()), float(low), float(high)
