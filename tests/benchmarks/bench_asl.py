"""How fast and how exact is the multi-delay ASL fit, beside a bounded scipy loop on the same voxels?

    python tests/benchmarks/bench_asl.py [--voxels 98304] [--rival 300] [--seed 0]

PCASL with tau 1.8 s, PLD .5 to 3 s, 8 pairs each, noise .2 % of M0 in each difference; CBF 50-70, ATT .7-1.8 s.
"""

import argparse
import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import curve_fit

from estimate.asl.multi_delay import LARGEST_CBF, fit_asl
from simulate.base.constants import ASL_BLOOD_T1, LABEL_EFFICIENCY, PARTITION_COEFFICIENT
from simulate.base.units import to_clinical
from simulate.labelling.difference import MODELS, asl_difference

TIMES = 1.8 + np.array([0.5, 1.0, 1.5, 2.0, 2.5, 3.0])
TAU, PAIRS, SIGMA = 1.8, 8, 0.002


def measured(rng: np.random.Generator, count: int, model: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """CBF, ATT (v,) and noisy mean differences (v, g) over M0."""
    cbf, att = rng.uniform(50, 70, count), rng.uniform(0.7, 1.8, count)
    clean = np.asarray(asl_difference(cbf, att, jnp.asarray(TIMES), model=model))
    return cbf, att, clean + SIGMA / np.sqrt(PAIRS) * rng.standard_normal(clean.shape)


def recommended(t: np.ndarray, cbf: float, att: float) -> np.ndarray:
    """The rival's model: the published formula in NumPy, one voxel at a time."""
    t1, alpha = ASL_BLOOD_T1[3.0], LABEL_EFFICIENCY["pcasl"]
    scale = 2 * alpha * cbf / 6000 / PARTITION_COEFFICIENT * t1 * np.exp(-att / t1)
    arriving = 1 - np.exp(-(t - att) / t1)
    arrived = np.exp(-(t - TAU - att) / t1) * (1 - np.exp(-TAU / t1))
    return scale * np.where(t < att, 0.0, np.where(t < att + TAU, arriving, arrived))


def rival(curves: np.ndarray) -> tuple[np.ndarray, float]:
    """(v, 2) CBF and ATT by scipy's bounded curve_fit, and seconds per voxel."""
    found = np.full((len(curves), 2), np.nan)
    largest = [to_clinical("CBF", LARGEST_CBF), TIMES.max()]
    begun = time.perf_counter()
    for i, curve in enumerate(curves):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found[i], _ = curve_fit(recommended, TIMES, curve, p0=(50.0, 1.0), bounds=([0, 0], largest))
            except RuntimeError:
                continue
    return found, (time.perf_counter() - begun) / len(curves)


def bound(cbf: np.ndarray, att: np.ndarray, model: str) -> np.ndarray:
    """(v, 2) standard deviations that no unbiased estimate undercuts (Cramér-Rao)."""
    one, zero = jnp.ones(len(cbf)), jnp.zeros(len(cbf))
    point = (jnp.asarray(cbf, one.dtype), jnp.asarray(att, one.dtype))

    def curve(c: jax.Array, a: jax.Array) -> jax.Array:
        return asl_difference(c, a, jnp.asarray(TIMES), model=model)

    J = np.stack([np.asarray(jax.jvp(curve, point, d)[1], float) for d in ((one, zero), (zero, one))], -1)
    information = np.einsum("vgi,vgj->vij", J, J) * PAIRS / SIGMA**2
    return np.sqrt(np.diagonal(np.linalg.inv(information), axis1=1, axis2=2))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voxels", type=int, default=64 * 64 * 24)
    parser.add_argument("--rival", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng = np.random.default_rng(asked.seed)
    cbf, att, curves = measured(rng, asked.voxels, "recommended")
    seconds = []
    for _ in range(4):
        begun = time.perf_counter()
        fit = fit_asl(curves, TIMES, m0=1.0, repeats=PAIRS, sigma=SIGMA)
        jax.block_until_ready(fit.cbf)
        seconds.append(time.perf_counter() - begun)
    warm = min(seconds[1:])
    theirs, each = rival(curves[: asked.rival])
    least = bound(cbf, att, "recommended")
    print(f"{asked.voxels:,} voxels x {len(TIMES)} delays: {warm:.2f} s ({asked.voxels / warm:,.0f} voxels/s), "
          f"first call {seconds[0]:.1f} s")  # fmt: skip
    print(f"scipy curve_fit, bounded: {1 / each:,.0f} voxels/s, so {each * asked.voxels / warm:,.0f} times as long")
    print("median |error|            CBF [mL/100 g/min]   ATT [s]")
    print(f"Cramér-Rao bound          {0.6745 * np.median(least[:, 0]):18.2f}   {0.6745 * np.median(least[:, 1]):.4f}")
    for name, c, a, n in (
        ("tracerflow", fit.cbf, fit.att, len(cbf)),
        ("tracerflow, rival's", fit.cbf, fit.att, asked.rival),
        ("scipy", theirs[:, 0], theirs[:, 1], asked.rival),
    ):
        errors = [np.nanmedian(np.abs(np.asarray(x)[:n] - true[:n])) for x, true in ((c, cbf), (a, att))]
        print(f"{name:25s} {errors[0]:18.2f}   {errors[1]:.4f}")
    print("truth -> fit across models: median error of CBF [%], of ATT [s]")
    for truth in MODELS:
        cbf, att, curves = measured(np.random.default_rng(asked.seed), 8192, truth)
        cells = []
        for model in MODELS:
            fit = fit_asl(curves, TIMES, m0=1.0, model=model, repeats=PAIRS, sigma=SIGMA)
            cells.append(
                f"{100 * np.median(np.asarray(fit.cbf) / cbf - 1):+6.1f} {np.median(np.asarray(fit.att) - att):+6.2f}"
            )
        print(f"{truth:16s}" + "   ".join(f"{model}: {cell}" for model, cell in zip(MODELS, cells, strict=True)))


if __name__ == "__main__":
    main()
