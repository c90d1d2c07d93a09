"""Do results on this accelerator hold against the same machine's processor? Fits and curves, one problem, one run.

A graphics processor may multiply float32 matrices in fewer digits than float32 has (TF32: 11 bits), unless told not to.

    python tests/benchmarks/bench_accelerator.py [--curves 65536] [--json FILE]
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from estimate.kinetics.fit import fit_kinetics
from simulate.base.selfcheck import environment
from simulate.base.types import Tissue
from simulate.kinetics.tissue import tissue_concentration
from tests.benchmarks.bench_kinetic_fit import NAMES, Problem, draw

MODELS = ("2cxm", "dp", "tanks-4", "th", "aath")


def fitted(problem: Problem, device: Any, precision: str | None, repeats: int) -> tuple[dict[str, np.ndarray], float]:
    """Parameters, standard errors and residual sums, and voxels per second."""
    curves, best = problem.curves.astype(np.float32), np.inf
    with jax.default_device(device), jax.default_matmul_precision(precision):
        for _ in range(repeats + 1):
            begun = time.perf_counter()
            fit = jax.block_until_ready(fit_kinetics(curves, problem.times, problem.aif))
            best = min(best, time.perf_counter() - begun)
    values = {n: np.asarray(getattr(fit.tissue, n)) for n in NAMES}
    errors = {f"{n}'s error": np.asarray(fit.stderr[n]) for n in NAMES}
    return values | errors | {"rss": np.asarray(fit.rss)}, len(curves) / best


def curves_of(problem: Problem, device: Any, model: str) -> np.ndarray:
    tissue = Tissue(**{n: problem.truth[n][:2000] for n in NAMES})
    with jax.default_device(device):
        return np.asarray(tissue_concentration(tissue, problem.aif, problem.times, model=model))


def apart(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Relative differences: the median, and that of one voxel in a hundred."""
    difference = np.abs(one / other - 1)
    return {"median": float(np.nanmedian(difference)), "1 in 100": float(np.nanquantile(difference, 0.99))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=int, default=65536)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    problem = draw(1, given.curves, 2.0, delay=False, fine=False)
    here, processor = jax.devices()[0], jax.devices("cpu")[0]
    reference, speed = fitted(problem, processor, None, 1)
    rows: list[dict[str, Any]] = [{"device": processor.device_kind, "voxels/s": speed}]
    for precision in (None, "highest"):
        found, speed = fitted(problem, here, precision, 3)
        differences = {name: apart(found[name], reference[name]) for name in reference}
        rows.append({"device": here.device_kind, "precision": precision, "voxels/s": speed} | differences)
    for model in MODELS:
        own, there = (curves_of(problem, device, model) for device in (processor, here))
        rows.append({"model": model, "largest difference / maximum": float(np.max(np.abs(there - own)) / own.max())})
    for row in rows:
        print(json.dumps(row), flush=True)
    if given.json:
        given.json.write_text(json.dumps({"environment": environment(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
