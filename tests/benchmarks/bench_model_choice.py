"""What `auto` chooses, of tissue that one of the five models made: how often which, and what becomes of Ktrans.

Tissue as in bench_coverage.py; Parker input, Hct .42, exact; frames of 1, 2 and 5 s over 300 s, averaged; noise of a
fiftieth of each curve's peak, or none.

    python tests/benchmarks/bench_model_choice.py [--seed 1] [--curves 2000] [--json FILE]
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from estimate.kinetics.fit import MODEL_CODES, fit_kinetics
from simulate.base.selfcheck import environment
from simulate.base.status import Status
from simulate.base.types import Tissue
from simulate.inputs.population import parker_aif
from simulate.kinetics.tissue import tissue_concentration

KNOTS = np.arange(0.0, 301.0, 0.05)
AIF = np.asarray(parker_aif(KNOTS, haematocrit=0.42, onset=20.0))
MODELS = ("2cxm", "2cum", "etm", "tofts", "patlak")
DOUBTFUL = Status.MODEL_AMBIGUOUS | Status.NOT_IDENTIFIABLE | Status.AT_BOUND


def tissues(rng: np.random.Generator, model: str, count: int) -> Tissue:
    def log_uniform(low: float, high: float) -> np.ndarray:
        return np.exp(rng.uniform(np.log(low), np.log(high), count))

    Fp, PS = log_uniform(15, 80) / 6000, log_uniform(3, 20) / 6000
    vp, ve = rng.uniform(0.03, 0.12, count), rng.uniform(0.1, 0.35, count)
    none, boundless = np.zeros(count), np.full(count, np.inf)
    exchange = model in ("2cxm", "2cum")
    return Tissue(
        Fp if exchange else boundless, PS, none if model == "tofts" else vp,
        boundless if model in ("2cum", "patlak") else ve,
    )  # fmt: skip


def choose(seed: int, count: int, model: str, frame: float, noise: float) -> dict[str, Any]:
    rng = np.random.default_rng([seed, MODELS.index(model), int(10 * frame)])
    tissue = tissues(rng, model, count)
    times = np.arange(frame / 2, 300 - frame / 2, frame)
    clean = np.asarray(tissue_concentration(tissue, AIF, times, model=model, aif_times=KNOTS, frame_duration=frame))
    curves = clean + noise * clean.max(1, keepdims=True) * rng.standard_normal(clean.shape)
    fit = fit_kinetics(curves.astype(np.float32), times, AIF, aif_times=KNOTS, frame_duration=frame, model="auto")
    share = np.asarray(fit.Ktrans) / np.asarray(tissue.Ktrans)
    code, status = np.asarray(fit.model), np.asarray(fit.status)
    low, doubted = share < 0.5, (status & int(DOUBTFUL)) != 0
    return {
        "truth": model, "frame s": frame, "noise": noise,
        "chosen": {n: float(np.mean(code == MODEL_CODES[n])) for n in MODELS},
        "Ktrans below half": float(np.mean(low)), "of these not flagged": float(np.mean(low & ~doubted)),
        "Ktrans above twice": float(np.mean(share > 2)), "median Ktrans / truth": float(np.median(share)),
        "ambiguous": float(np.mean((status & int(Status.MODEL_AMBIGUOUS)) != 0)),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--curves", type=int, default=2000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = []
    print(
        f"{'truth':7}{'frame':>6}{'noise':>7}  "
        + "".join(f"{n:>8}" for n in MODELS)
        + "   Ktrans <.5  >2  median  flagged"
    )
    for noise in (0.02, 0.0):
        for frame in (1.0, 2.0, 5.0):
            for model in MODELS:
                row = choose(given.seed, given.curves, model, frame, noise)
                rows.append(row)
                print(
                    f"{model:7}{frame:6g}{noise:7g}  " + "".join(f"{row['chosen'][n]:8.3f}" for n in MODELS)
                    + f"   {row['Ktrans below half']:.4f} ({row['of these not flagged']:.4f})  "
                    f"{row['Ktrans above twice']:.4f}  {row['median Ktrans / truth']:.3f}  {row['ambiguous']:.3f}",
                    flush=True,
                )  # fmt: skip
    if given.json:
        given.json.write_text(
            json.dumps({"environment": environment(), "seed": given.seed, "rows": rows}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
