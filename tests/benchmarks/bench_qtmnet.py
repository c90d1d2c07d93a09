"""How fast is QTMnet on a whole scan, and in how much memory? Beside the 2CXM fit with delay, in one run.

    python tests/benchmarks/bench_qtmnet.py [--shape 96 96 32] [--frames 60] [--spacing 4] [--skip-fit]

The series is made of 2CXM tissue that varies smoothly, with noise; every voxel is estimated. The share of the
hardware's limit is that of a large matrix product, timed in the same process.
"""

import argparse
import resource
import time

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from estimate.kinetics.fit import fit_kinetics
from estimate.qtmnet.contrast.inference import predict_scan
from estimate.qtmnet.weights import load_trained
from simulate.base.types import Tissue
from simulate.inputs.population import parker_aif
from simulate.kinetics.tissue import tissue_concentration


def scan(shape: tuple[int, int, int], frames: int, spacing: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(start of the frames, AIF at their centres, curves (v, t))."""
    start = spacing * np.arange(frames)
    aif = np.asarray(parker_aif(start + spacing / 2, haematocrit=0.42, onset=20.0))
    x, y, z = np.meshgrid(*(np.linspace(0, 1, n, endpoint=False) for n in shape), indexing="ij")
    tissue = Tissue(0.003 + 0.007 * x.ravel(), 1e-4 + 2e-3 * y.ravel(), 0.02 + 0.06 * z.ravel(), 0.1 + 0.3 * x.ravel())
    parts = [slice(i, i + 16384) for i in range(0, x.size, 16384)]
    one = jax.jit(lambda t: tissue_concentration(t, aif, start + spacing / 2))
    curves = [np.asarray(one(Tissue(*(getattr(tissue, n)[p] for n in ("Fp", "PS", "vp", "ve"))))) for p in parts]
    clean = np.concatenate(curves).astype(np.float32)
    return start, aif, clean + 0.005 * np.random.default_rng(0).standard_normal(clean.shape).astype(np.float32)


def matrix_product_flops() -> float:
    """FLOP/s of the best of three large products in float32."""
    a = jnp.ones((2048, 2048))
    product = jax.jit(lambda a: a @ a)
    product(a).block_until_ready()
    best = np.inf
    for _ in range(3):
        begun = time.perf_counter()
        product(a).block_until_ready()
        best = min(best, time.perf_counter() - begun)
    return 2 * 2048**3 / best


def flops_per_voxel(trained) -> float:
    """Two for every weight, per voxel and encoder pass; the U-Net's coarse scales at their share."""
    encoder = sum(x.size for x in jax.tree.leaves(jax.tree.map(np.asarray, _state(trained.network.encoder))))
    decoder = sum(x.size for x in jax.tree.leaves(_state(trained.network.decoder)))
    branch = 0.0
    if trained.network.branch is not None:
        for level, stage in enumerate(trained.network.branch.down):
            branch += sum(x.size for x in jax.tree.leaves(_state(stage))) / 8**level
        for level, stage in enumerate(trained.network.branch.up):
            branch += sum(x.size for x in jax.tree.leaves(_state(stage))) / 8 ** (1 - level)
    passes = len(trained.network.contexts) + 2  # the encoder runs again for each context, the branch and the decoder
    return 2 * (passes * encoder + decoder + branch)


def _state(module):

    return nnx.to_pure_dict(nnx.state(module, nnx.Param))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=3, default=(96, 96, 32))
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--spacing", type=float, default=4.0)
    parser.add_argument("--skip-fit", action="store_true")
    options = parser.parse_args()
    shape = tuple(options.shape)
    start, aif, curves = scan(shape, options.frames, options.spacing)
    where = np.unravel_index(np.arange(len(curves)), shape)
    print(f"{len(curves):,} voxels, {options.frames} frames, {jax.devices()[0].device_kind}")
    trained = load_trained()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    times = []
    for _ in range(2):
        begun = time.perf_counter()
        predict_scan(trained, curves, start, options.spacing, where=where, shape=shape)
        times.append(time.perf_counter() - begun)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    speed = len(curves) / times[1]
    rate = flops_per_voxel(trained) * speed
    print(
        f"QTMnet: {times[0]:.1f} s with compilation, {times[1]:.1f} s without; {len(curves) / times[1]:,.0f} voxels/s"
    )
    print(f"        peak memory {peak:.2f} GB ({before:.2f} GB before, with the series)")
    print(f"        {rate / 1e9:.1f} GFLOP/s, {100 * rate / matrix_product_flops():.0f} % of a matrix product's")
    if not options.skip_fit:
        centres = start + options.spacing / 2
        fit_kinetics(curves[:16384], centres, aif, fit_delay=True)
        begun = time.perf_counter()
        np.asarray(fit_kinetics(curves, centres, aif, fit_delay=True).rss)
        seconds = time.perf_counter() - begun
        print(f"2CXM with delay: {seconds:.1f} s; ratio {seconds / times[1]:.2f}")


if __name__ == "__main__":
    main()
