"""A whole scan of 96 x 96 x 32 voxels and 60 frames attributed end to end: time, peak memory, gap.

    python tests/benchmarks/bench_attribution.py 2cxm
    python tests/benchmarks/bench_attribution.py qtmnet

One estimator a run, since memory is the process's highest. The scan is a simulated tumour side by side with itself, its
noise nowhere the same; the head is linear in the means of Fp and PS in its rims.
"""

import argparse
import resource
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from classify import Chain, KineticEstimator, QTMnetEstimator, RegionMeans, chain_attribution
from estimate.qtmnet.weights import load_trained
from experiments.studies.attribution.patients import BASELINE, PROTOCOL, SNR, bank, patient
from simulate.base.types import DCEProtocol
from simulate.scanner.noise import with_noise

SHAPE, SIDE, FRAMES = (96, 96, 32), 16, 60


def scan():
    """frames (v, t), t10 (v,), rim (v,), input, protocol."""
    one = patient(bank("test", SIDE, 0), 0)
    tiles = [n // SIDE for n in SHAPE]

    def tiled(values):
        cube = np.asarray(values).reshape(SIDE, SIDE, SIDE, -1)
        return np.tile(cube, (*tiles, 1)).reshape(np.prod(SHAPE), -1)

    protocol = DCEProtocol(
        times=PROTOCOL.times[:FRAMES], repetition_time=PROTOCOL.repetition_time, flip_angle=PROTOCOL.flip_angle,
        relaxivity=PROTOCOL.relaxivity, baseline=BASELINE, frame_duration=PROTOCOL.frame_duration,
    )  # fmt: skip
    clean = jnp.asarray(tiled(one.clean[:, :FRAMES]))
    frames = np.asarray(with_noise(jax.random.key(0), clean, protocol, snr=SNR))
    return frames, tiled(one.t10)[:, 0], tiled(one.rim)[:, 0], one.aif, protocol


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("estimator", choices=("2cxm", "qtmnet"))
    chosen = parser.parse_args().estimator
    frames, t10, rim, aif, protocol = scan()
    begun = time.perf_counter()

    def progress(what, done, total):
        print(
            f"\r{time.perf_counter() - begun:5.0f} s  {what}: {done} of {total}   ", end="", file=sys.stderr, flush=True
        )

    taken = ("Fp", "PS", "vp")
    if chosen == "2cxm":
        estimator = KineticEstimator.measured(frames, protocol, t10=t10, aif=aif, fit_delay=True, parameters=taken)
    else:
        estimator = QTMnetEstimator.measured(
            frames,
            protocol,
            t10=t10,
            trained=load_trained(),
            inside=np.ones(SHAPE, bool),
            parameters=taken,
        )
    weighed = time.perf_counter() - begun
    features = RegionMeans.of(estimator.names, {"rim": rim}, estimator.weight)
    chain = Chain((estimator,), lambda phi: 0.1 * phi[0] + 0.2 * phi[1], features)
    found = chain_attribution(chain, frames, baseline=BASELINE, progress=progress)
    print(file=sys.stderr)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(
        f"{chosen}: {' x '.join(map(str, SHAPE))} x {FRAMES}, weights {weighed:.0f} s, in all "
        f"{time.perf_counter() - begun:.0f} s, peak {peak:.1f} GB, gap {100 * found.gap:.3f} %, "
        f"nodes {found.nodes}, voxels excluded {100 * found.excluded.min():.0f} %"
    )


if __name__ == "__main__":
    main()
