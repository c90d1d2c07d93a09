"""Do stated errors mean what they say? 90 % intervals on SIGNAL series, for every fit with a standard error.

Tissue: Fp 15-80, PS 3-20 mL/100 mL/min (log-uniform), vp .03-.12, ve .1-.35 (uniform); Parker input, Hct .42, known
exactly; 150 frames of 2 s; spoiled gradient echo of TR 4 ms, 20°, r1 4.5, T10 1.4 s; magnitude of complex noise. T10 is
given, or measured by variable flip angles (2, 5, 10, 15, 20°) at the same SNR. An interval counts where the stated
error calls the parameter identifiable. Correlated noise is AR(1) in time.

Labelled water: CBF 20-90 mL/100 g/min, ATT .6-2.4 s (uniform); pCASL of 1.8 s read at six delays of .5 to 3 s, 2, 4 or
10 pairs each, whose scatter tells the noise; SNR is that of M0 in one image.

    python tests/benchmarks/bench_coverage.py [--seed 1] [--curves 4000] [--json FILE]
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.signal import lfilter
from scipy.stats import norm

from estimate.asl.multi_delay import fit_asl
from estimate.kinetics.fit import fit_kinetics
from estimate.signal.concentration import block_concentration
from estimate.signal.errors import signal_errors
from estimate.signal.vfa import vfa_noise, vfa_t1
from simulate.base.selfcheck import environment
from simulate.base.status import Status
from simulate.base.types import DCEProtocol, Tissue
from simulate.inputs.population import parker_aif
from simulate.kinetics.tissue import tissue_concentration
from simulate.labelling.difference import asl_difference
from simulate.scanner.spgr import spgr_signal

KNOTS = np.arange(0.0, 301.0, 0.05)
FRAME, FRAMES = 2.0, 150
T10 = 1.4
DELAYS = np.array([0.5, 1.0, 1.5, 2.0, 2.5, 3.0])
ANGLES = np.array([2.0, 5.0, 10.0, 15.0, 20.0])
NAMES = {"2cxm": ("Fp", "PS", "vp", "ve"), "etm": ("PS", "vp", "ve"), "dp": ("Fp", "PS", "vp", "ve")}


def tissues(rng: np.random.Generator, count: int, *, delay: bool) -> Tissue:
    def log_uniform(low: float, high: float) -> np.ndarray:
        return np.exp(rng.uniform(np.log(low), np.log(high), count))

    return Tissue(
        Fp=log_uniform(15, 80) / 6000, PS=log_uniform(3, 20) / 6000, vp=rng.uniform(0.03, 0.12, count),
        ve=rng.uniform(0.1, 0.35, count), delay=rng.uniform(0, 6, count) if delay else np.zeros(count),
    )  # fmt: skip


def measured(rng: np.random.Generator, signal: Any, sigma: float, correlation: float) -> np.ndarray:
    """Magnitude of the signal with complex noise, AR(1) along the last axis."""
    noise = sigma * rng.standard_normal((2, *np.shape(signal)))
    if correlation:
        innovations = noise * np.sqrt(1 - correlation**2)
        innovations[..., 0] = noise[..., 0]
        noise = lfilter([1.0], [1.0, -correlation], innovations, axis=-1)
    return np.hypot(np.asarray(signal) + noise[0], noise[1]).astype(np.float32)


def cover(
    seed: int, count: int, *, model: str, snr: float, baseline: int, delay: bool, by_vfa: bool, correlation: float,
) -> dict[str, Any]:  # fmt: skip
    """Share of intervals that hold the truth, by parameter, and of voxels in which it is identifiable."""
    rng = np.random.default_rng([seed, baseline, int(snr), int(by_vfa), int(delay)])
    tissue = tissues(rng, count, delay=delay)
    times = FRAME * np.arange(FRAMES) + FRAME / 2
    aif = np.asarray(parker_aif(KNOTS, haematocrit=0.42, onset=FRAME * baseline))
    protocol = DCEProtocol(times - FRAME / 2, 0.004, 20.0, baseline=baseline, frame_duration=FRAME)
    clean = tissue_concentration(tissue, aif, times, model=model, aif_times=KNOTS, frame_duration=FRAME)
    signal = np.asarray(spgr_signal(clean, protocol, t10=T10, s0=1000.0))
    sigma = float(signal[0, 0] / snr)
    data = measured(rng, signal, sigma, correlation)
    t10, t10_error = np.full(count, T10, np.float32), np.zeros(count, np.float32)
    if by_vfa:
        each = [spgr_signal(np.zeros((count, 1)), replace(protocol, flip_angle=a), t10=T10, s0=1000.0) for a in ANGLES]
        images = measured(rng, np.concatenate(each, axis=-1), sigma, 0.0)
        found = vfa_t1(images, ANGLES, 0.004)
        t10, t10_error = (
            np.asarray(found.t1),
            np.asarray(found.stderr) * vfa_noise(np.asarray(found.residual), len(ANGLES)),
        )
    curves, _ = block_concentration(data, protocol, t10=t10)
    errors = signal_errors(data, protocol, t10=t10, t10_stderr=t10_error)
    fit = fit_kinetics(
        np.asarray(curves), times, aif, model=model, aif_times=KNOTS, frame_duration=FRAME, errors=errors,
        fit_delay=delay,
    )  # fmt: skip
    result: dict[str, Any] = {}
    for name in NAMES[model]:
        value, error = np.asarray(getattr(fit.tissue, name)), np.asarray(fit.stderr[name])
        low, high = (np.asarray(end) for end in fit.interval(name))
        truth, known = getattr(tissue, name), error <= value / 3
        covered = (low < truth) & (truth < high)
        result[name] = {
            "covers": float(np.mean(covered[known])) if known.any() else None, "identifiable": float(np.mean(known)),
            "covers, all": float(np.mean(covered)),
        }  # fmt: skip
    return result | {"correlation found": float(np.nanmedian(np.asarray(fit.correlation)))}


def cover_water(seed: int, count: int, *, snr: float, pairs: int) -> dict[str, Any]:
    """The same for CBF and ATT from control minus label."""
    rng = np.random.default_rng([seed, int(snr), pairs])
    truth = {"CBF": rng.uniform(20, 90, count), "ATT": rng.uniform(0.6, 2.4, count)}
    times = 1.8 + DELAYS
    clean = np.asarray(asl_difference(truth["CBF"], truth["ATT"], times, model="recommended"))
    each = clean[:, None] + np.sqrt(2) / snr * rng.standard_normal((count, pairs, times.size))
    sigma = np.sqrt(np.mean(np.var(each, axis=1, ddof=1), axis=-1))
    fit = fit_asl(
        each.mean(1), times, m0=1.0, repeats=np.full(times.size, pairs), sigma=sigma,
        sigma_freedom=times.size * (pairs - 1),
    )  # fmt: skip
    result: dict[str, Any] = {}
    for name, value, flag in (
        ("CBF", fit.cbf, Status.CBF_NOT_IDENTIFIABLE), ("ATT", fit.att, Status.ATT_NOT_IDENTIFIABLE),
    ):  # fmt: skip
        known = (fit.status & int(flag)) == 0
        covered = np.abs(np.asarray(value) - truth[name]) <= norm.ppf(0.95) * np.asarray(fit.stderr[name])
        result[name] = {
            "covers": float(np.mean(covered[known])), "identifiable": float(np.mean(known)),
            "covers, all": float(np.mean(covered)),
        }  # fmt: skip
    return result


def cases() -> Iterator[dict[str, Any]]:
    base = {"model": "2cxm", "delay": False, "by_vfa": False, "correlation": 0.0}
    for snr in (20.0, 50.0):
        for baseline in (5, 10, 29):
            for by_vfa in (False, True):
                for model, delay in (("2cxm", False), ("2cxm", True), ("etm", False)):
                    yield base | {
                        "snr": snr, "baseline": baseline, "by_vfa": by_vfa, "model": model, "delay": delay
                    }  # fmt: skip
    for snr, baseline in ((20.0, 10), (50.0, 10)):
        yield base | {"snr": snr, "baseline": baseline, "model": "dp"}
        for delay in (False, True):
            yield base | {"snr": snr, "baseline": baseline, "correlation": 0.6, "delay": delay}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--curves", type=int, default=4000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = []
    print("model  delay  T10    SNR  baseline  rho   " + "   ".join(f"{n:>15}" for n in NAMES["2cxm"]))
    for case in cases():
        count = given.curves // 8 if case["model"] == "dp" else given.curves
        found = cover(given.seed, count, **case)
        rows.append({**case, "curves": count, "found": found})
        cells = [
            f"{found[n]['covers']:.3f} of {found[n]['identifiable']:.2f}" if n in found else "" for n in NAMES["2cxm"]
        ]
        source = "VFA" if case["by_vfa"] else "given"
        print(
            f"{case['model']:6} {case['delay']!s:6} {source:6} {case['snr']:3g} {case['baseline']:8} "
            f"{case['correlation']:5g}   " + "   ".join(f"{c:>15}" for c in cells), flush=True,
        )  # fmt: skip
    print("\nlabelled water, SNR of M0, pairs, " + "   ".join(f"{n:>15}" for n in ("CBF", "ATT")))
    water = []
    for snr in (200.0, 500.0):
        for pairs in (2, 4, 10):
            found = cover_water(given.seed, given.curves, snr=snr, pairs=pairs)
            water.append({"snr": snr, "pairs": pairs, "curves": given.curves, "found": found})
            cells = (f"{f['covers']:.3f} of {f['identifiable']:.2f}" for f in found.values())
            print(f"{snr:4g} {pairs:4} " + "   ".join(f"{c:>15}" for c in cells), flush=True)
    if given.json:
        made = {"environment": environment(), "seed": given.seed, "rows": rows, "water": water}
        given.json.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", False)
    jnp.zeros(0)
    main()
