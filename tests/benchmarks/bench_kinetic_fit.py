"""How fast and how exact is the 2CXM fit, against whom? One problem, all rivals, one run.

The problem: Fp 5-100 and PS .5-30 mL/100 mL/min log-uniform, vp .01-.15 and ve .05-.5 uniform; Parker AIF
(Hct .42, onset 20 s), 0-300 s; dt 1.5, 2 and 2.5 s in the ratio 3:4:3; SNR (peak of the clean curve / sigma,
Gaussian) 20-100 log-uniform. The truth is computed with the AIF linear between its samples, or, with
--fine-aif, with the AIF on a .05 s grid.

    python tests/benchmarks/bench_kinetic_fit.py [--seed 1] [--curves 20000] [--speed 200000]
        [--rival-curves 200] [--fine-aif] [--delay] [--skip-rivals] [--json FILE]

Needs the extra `rivals` (dcmri) unless --skip-rivals is given. Speeds are ratios within this run.
"""

import argparse
import json
import resource
import time
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from estimate.kinetics.fit import fit_kinetics
from estimate.kinetics.linear import linear_2cxm
from simulate.base.selfcheck import environment
from simulate.base.types import Tissue
from simulate.inputs.population import parker_aif
from simulate.kinetics.tissue import tissue_concentration

NAMES = ("Fp", "PS", "vp", "ve")
SPACINGS = ((1.5, 0.3), (2.0, 0.4), (2.5, 0.3))


@dataclass(frozen=True)
class Problem:
    """Noisy curves (v, t) with their truth; parameters in 1/s, fractions and s."""

    times: np.ndarray
    aif: np.ndarray
    truth: dict[str, np.ndarray]
    curves: np.ndarray
    noise: np.ndarray
    clean: np.ndarray


def draw(seed: int, count: int, spacing: float, *, delay: bool, fine: bool) -> Problem:
    rng = np.random.default_rng([seed, int(10 * spacing)])
    truth = {
        "Fp": np.exp(rng.uniform(np.log(5), np.log(100), count)) / 6000,
        "PS": np.exp(rng.uniform(np.log(0.5), np.log(30), count)) / 6000,
        "vp": rng.uniform(0.01, 0.15, count),
        "ve": rng.uniform(0.05, 0.5, count),
        "delay": rng.uniform(0, 6, count) if delay else np.zeros(count),
    }
    snr = np.exp(rng.uniform(np.log(20), np.log(100), count))
    times = np.arange(0, 300 + 1e-9, spacing)
    knots = np.arange(0, 300 + 1e-9, 0.05) if fine else times
    with jax.enable_x64(True):
        aif = np.asarray(parker_aif(times, haematocrit=0.42, onset=20.0))
        fine_aif = np.asarray(parker_aif(knots, haematocrit=0.42, onset=20.0))
        parts = [slice(i, i + 4096) for i in range(0, count, 4096)]
        clean = np.concatenate([curves_of(truth, part, fine_aif, knots, times) for part in parts])
    noise = clean.max(1) / snr
    curves = clean + noise[:, None] * rng.standard_normal(clean.shape)
    return Problem(times, aif, truth, curves, noise, clean)


def curves_of(truth: dict, part: slice, aif: np.ndarray, knots: np.ndarray, times: np.ndarray) -> np.ndarray:
    tissue = Tissue(**{name: value[part] for name, value in truth.items()})
    return np.asarray(tissue_concentration(tissue, aif, times, aif_times=knots))


def cramer_rao(problem: Problem, names: tuple[str, ...], count: int) -> np.ndarray:
    """Standard deviation (p, v) that no unbiased estimator can beat, for the first `count` curves."""
    with jax.enable_x64(True):
        aif, times = jnp.asarray(problem.aif), jnp.asarray(problem.times)

        def bound(values, sigma):
            J = jax.jacfwd(lambda x: tissue_concentration(Tissue(**dict(zip(names, x, strict=True))), aif, times))(
                values
            )
            scale = jnp.linalg.norm(J, axis=0)
            information = (J / scale).T @ (J / scale)
            return sigma * jnp.sqrt(jnp.diagonal(jnp.linalg.inv(information))) / scale

        values = jnp.asarray(np.stack([problem.truth[n][:count] for n in names], axis=1))
        sigma = jnp.asarray(problem.noise[:count])
        return np.asarray(jax.lax.map(lambda a: bound(*a), (values, sigma), batch_size=1024)).T


def ours(problem: Problem, delay: bool) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray, np.ndarray]:
    fit = fit_kinetics(problem.curves.astype(np.float32), problem.times, problem.aif, fit_delay=delay)
    names = (*NAMES, "delay") if delay else NAMES
    values = {n: np.asarray(getattr(fit.tissue, n), dtype=float) for n in names}
    return (
        values,
        {n: np.asarray(fit.stderr[n], dtype=float) for n in names},
        np.asarray(fit.rss),
        np.asarray(fit.status),
    )


def curve_fit_from(problem: Problem, count: int, start: dict[str, np.ndarray] | None) -> np.ndarray:
    """dcmri's 2CX model in scipy's bounded curve_fit, curve by curve: (v, 4), NaN where it failed."""
    import dcmri
    from scipy.optimize import curve_fit

    bounds = ([0, 0, 1e-4, 1e-3], [600, 500, 1, 1])
    found = np.full((count, 4), np.nan)

    def model(_, Fp, PS, vp, ve):
        return dcmri.conc_tissue(
            problem.aif, t=problem.times, kinetics="2CX", H=0.0, vb=vp, vi=ve, Fb=Fp / 6000, PS=PS / 6000
        )

    for i in range(count):
        p0 = [20, 3, 0.05, 0.2] if start is None else [start[n][i] * (6000 if n in ("Fp", "PS") else 1) for n in NAMES]
        try:
            found[i] = curve_fit(
                model, problem.times, problem.curves[i], p0=p0, bounds=bounds, x_scale=[20, 3, 0.05, 0.2]
            )[0]
        except (RuntimeError, ValueError):
            continue
    return found * np.array([1 / 6000, 1 / 6000, 1, 1])


def linear_least_squares(problem: Problem, count: int) -> np.ndarray:
    """Flouri's linear 2CXM, (v, 4)."""
    found = linear_2cxm(problem.curves[:count], problem.times, problem.aif)
    return np.stack([found.Fp, found.PS, found.vp, found.ve], axis=1)


def residuals(problem: Problem, values: np.ndarray) -> np.ndarray:
    tissue = dict(zip(NAMES, np.where(np.isfinite(values), values, 1e-3).T, strict=True))
    with jax.enable_x64(True):
        fitted = np.asarray(tissue_concentration(Tissue(**tissue), problem.aif, problem.times))
    return np.sum((problem.curves[: len(values)] - fitted) ** 2, axis=1)


def accuracy(problems: list[Problem], values: list[np.ndarray], rss: list[np.ndarray]) -> dict[str, float]:
    """Median relative errors [%], shares at the optimum, off by more than 2x, non-physical."""
    truth = np.concatenate(
        [np.stack([p.truth[n][: len(v)] for n in NAMES], 1) for p, v in zip(problems, values, strict=True)]
    )
    found, residual = np.concatenate(values), np.concatenate(rss)
    best = np.concatenate(
        [np.sum((p.curves - p.clean) ** 2, 1)[: len(v)] for p, v in zip(problems, values, strict=True)]
    )
    physical = np.all((found > 0) & (found[:, 2:] <= 1).all(1, keepdims=True), axis=1) & (
        found[:, 2] + found[:, 3] <= 1 + 1e-5
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        off = ~(np.abs(np.log(np.maximum(found, 0) / truth)) <= np.log(2))
    error = 100 * np.nanmedian(np.abs(found / truth - 1), axis=0)
    return {
        **{f"median error {n} %": float(e) for n, e in zip(NAMES, error, strict=True)},
        "at the optimum %": 100 * float(np.mean(residual <= 1.02 * best)),
        "Fp, PS or vp off by > 2x %": 100 * float(np.mean(off[:, :3].any(1))),
        "non-physical %": 100 * float(np.mean(~physical)),
    }


def coverage(problems: list[Problem], fits: list, names: tuple[str, ...]) -> dict[str, float]:
    """Share [%] of 90 % intervals that hold the truth, where the parameter is identifiable by its own error."""
    result = {}
    for name in names:
        truth = np.concatenate([p.truth[name] for p in problems])
        value = np.concatenate([f[0][name] for f in fits])
        error = np.concatenate([f[1][name] for f in fits])
        if name == "delay":
            known, inside = error < 2.0, np.abs(value - truth) < 1.645 * error
        else:
            known = error < value / 3
            inside = np.abs(np.log(value / truth)) < 1.645 * error / value
        result[f"90 % interval of {name} covers %"] = 100 * float(np.mean(inside[known]))
        result[f"{name} identifiable %"] = 100 * float(np.mean(known))
    return result


def speed(seed: int, count: int, delay: bool) -> dict[str, float]:
    """Voxels per second on `count` curves at 2 s, after the first call; and what the first call costs more."""
    problem = draw(seed + 1, min(count, 20000), 2.0, delay=delay, fine=False)
    curves = np.tile(problem.curves.astype(np.float32), (-(-count // len(problem.curves)), 1))[:count]

    def run():
        start = time.perf_counter()
        jax.block_until_ready(fit_kinetics(curves, problem.times, problem.aif, fit_delay=delay).tissue.Fp)
        return time.perf_counter() - start

    jax.clear_caches()
    first, *rest = [run() for _ in range(4)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {
        "voxels": count,
        "frames": problem.times.size,
        "voxels/s": count / min(rest),
        "compile s": first - min(rest),
        "peak memory of this process GB": memory,
    }


def show(title: str, figures: dict[str, float]) -> None:
    print(f"\n{title}")
    for name, value in figures.items():
        print(f"  {name:36} {value:,.4g}" if value < 1e4 else f"  {name:36} {value:,.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--curves", type=int, default=20000)
    parser.add_argument("--speed", type=int, default=200000)
    parser.add_argument("--rival-curves", type=int, default=200, help="per spacing")
    parser.add_argument("--fine-aif", action="store_true")
    parser.add_argument("--delay", action="store_true")
    parser.add_argument("--skip-rivals", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    results: dict[str, dict] = {
        "environment": environment(),
        "options": {k: str(v) for k, v in vars(given).items()},
    }
    problems = [
        draw(given.seed, round(share * given.curves), spacing, delay=given.delay, fine=given.fine_aif)
        for spacing, share in SPACINGS
    ]
    names = (*NAMES, "delay") if given.delay else NAMES
    bound = np.concatenate([cramer_rao(p, names, len(p.curves)) for p in problems], axis=1)
    fits = [ours(p, given.delay) for p in problems]
    values = [np.stack([f[0][n] for n in NAMES], 1) for f in fits]
    results["tracerflow"] = accuracy(problems, values, [f[2] for f in fits]) | coverage(problems, fits, names)
    for k, name in enumerate(names):
        truth = np.concatenate([p.truth[name] for p in problems])
        found = np.concatenate([f[0][name] for f in fits])
        scale = np.ones_like(truth) if name == "delay" else truth
        # the median error of a Gaussian estimator at its bound is .6745 of it
        least = float(np.median(0.6745 * bound[k] / scale))
        results["tracerflow"][f"{name}: median error / bound"] = float(np.median(np.abs(found - truth) / scale)) / least
        if name == "delay":
            at_2s = slice(len(problems[0].curves), len(problems[0].curves) + len(problems[1].curves))
            results["tracerflow"]["delay: median error s (dt 2 s)"] = float(np.median(np.abs(found - truth)[at_2s]))
            results["tracerflow"]["delay: bound s (dt 2 s)"] = float(np.median(0.6745 * bound[k][at_2s]))
    results["tracerflow"] |= speed(given.seed, given.speed, given.delay)
    show("tracerflow, float32" + (", delay fitted" if given.delay else ""), results["tracerflow"])
    if not given.skip_rivals and not given.delay:
        results |= rivals(problems, values, given.rival_curves, results["tracerflow"]["voxels/s"])
    if given.json:
        given.json.write_text(json.dumps(results, indent=2) + "\n")


def rivals(problems: list[Problem], values: list[np.ndarray], count: int, our_speed: float) -> dict[str, dict]:
    """The rivals on the first `count` curves of each spacing, and ours on the same curves."""
    own = [v[:count] for v in values]
    left = [residuals(p, v) for p, v in zip(problems, own, strict=True)]
    results = {"tracerflow, same curves": accuracy(problems, own, left)}
    methods = {
        "dcmri + scipy curve_fit": lambda p: curve_fit_from(p, count, None),
        "the same from the truth (what least squares can do)": lambda p: curve_fit_from(p, count, p.truth),
        "linear least squares": lambda p: linear_least_squares(p, count),
    }
    for name, method in methods.items():
        start = time.perf_counter()
        found = [method(p) for p in problems]
        rate = count * len(problems) / (time.perf_counter() - start)
        results[name] = accuracy(problems, found, [residuals(p, v) for p, v in zip(problems, found, strict=True)])
        results[name] |= {"voxels/s": rate, "tracerflow is faster by": our_speed / rate}
    for name, figures in results.items():
        show(f"{name} ({count * len(problems)} curves)", figures)
    return results


if __name__ == "__main__":
    main()
