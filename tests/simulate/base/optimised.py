"""Numbers of the main programs, to be computed with the compiler's optimisation and without."""

import sys

import numpy as np

from estimate.kinetics.fit import fit_kinetics
from estimate.signal.vfa import vfa_t1
from simulate.base.types import DCEProtocol, Tissue
from simulate.inputs.population import parker_aif
from simulate.kinetics.tissue import tissue_concentration
from simulate.scanner.spgr import spgr_signal

TIMES = np.arange(0, 200, 2.5)
MODELS = ("2cxm", "dp")


def numbers() -> dict[str, np.ndarray]:
    """Curves of models, signals, T1, fitted parameters with their errors; in float32."""
    rng = np.random.default_rng(0)
    draws = rng.uniform((0.003, 3e-4, 0.03, 0.1), (0.013, 3e-3, 0.12, 0.35), (64, 4)).T
    tissue = Tissue(*draws.astype(np.float32), va=0.0, delay=0.0)
    aif = np.asarray(parker_aif(TIMES, haematocrit=0.42, onset=20.0))
    found = {model: tissue_concentration(tissue, aif, TIMES, model=model) for model in MODELS}
    found["signal"] = spgr_signal(found["2cxm"], DCEProtocol(TIMES, 0.005, 20.0, baseline=8), t10=1.4, s0=900.0)
    found["t1"] = vfa_t1(rng.uniform((20, 24, 20), (30, 36, 30), (50, 3)), [3.0, 9.0, 20.0], 0.006).t1
    curves = np.asarray(found["2cxm"]) + 0.01 * rng.standard_normal((64, len(TIMES)))
    fit = fit_kinetics(curves.astype(np.float32), TIMES, aif)
    names = ("Fp", "PS", "vp", "ve")
    found |= {f"fitted {name}": getattr(fit.tissue, name) for name in names}
    found |= {f"error of {name}": fit.stderr[name] for name in names}
    return {name: np.asarray(value) for name, value in found.items()}


if __name__ == "__main__":
    np.savez(sys.argv[1], **numbers())
