"""How much faster than XLA's own is the decomposed 3-D convolution on this machine?

Layers as networks have them (edge, taps, stride, channels in and out), float32, one volume: milliseconds of the
convolution and of its gradient in volume and kernel, and the ratio. XLA's gradient of a strided one can take
minutes and is left out unless --strided is given.

    python tests/benchmarks/bench_conv3d.py [--strided]
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np

from estimate.networks.conv3d import conv3d

LAYERS = (
    (8, 3, 1, 48, 48),
    (64, 3, 1, 4, 16),
    (64, 3, 1, 16, 16),
    (32, 3, 1, 32, 32),
    (64, 7, 2, 3, 32),
    (32, 3, 2, 32, 64),
)


def native(x, kernel, stride):
    return jax.lax.conv_general_dilated(x, kernel, (stride,) * 3, "SAME", dimension_numbers=("NDHWC", "DHWIO", "NDHWC"))


def milliseconds(work, *arguments) -> float:
    """The best of three calls after the first."""
    compiled, runs = jax.jit(work), []
    for _ in range(4):
        start = time.perf_counter()
        jax.block_until_ready(compiled(*arguments))
        runs.append(1000 * (time.perf_counter() - start))
    return min(runs[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strided", action="store_true")
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    print("edge taps stride in out | forward ms: ours, XLA, ratio | with gradient ms: ours, XLA, ratio")
    for edge, taps, stride, inside, outside in LAYERS:
        x = jnp.asarray(rng.standard_normal((1, edge, edge, edge, inside)), jnp.float32)
        kernel = jnp.asarray(0.05 * rng.standard_normal((taps, taps, taps, inside, outside)), jnp.float32)
        line = []
        for what in ("forward", "gradient"):
            times = []
            for convolve in (lambda a, k, s=stride: conv3d(a, k, strides=s), lambda a, k, s=stride: native(a, k, s)):
                if what == "gradient" and stride > 1 and len(times) == 1 and not given.strided:
                    times.append(float("nan"))
                    continue
                loss = lambda a, k, f=convolve: jnp.sum(jnp.sin(f(a, k)))  # noqa: E731
                times.append(milliseconds(convolve if what == "forward" else jax.grad(loss, (0, 1)), x, kernel))
            line.append(f"{times[0]:7.1f} {times[1]:7.1f} {times[1] / times[0]:5.1f}")
        print(f"{edge:4} {taps:4} {stride:6} {inside:2} {outside:3} | " + " | ".join(line), flush=True)


if __name__ == "__main__":
    main()
