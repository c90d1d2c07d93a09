"""How fast is the simulator: transport alone, and a phantom from its key to the noisy series?

1. Transport of 20,000 vessels (5,000 terminals) at 512 frequencies, to the curves of 100 frames.
2. A phantom of 32^3 voxels, 100 frames, 5,000 terminals: by parts, and from key to series.
3. The growth of cost with the size of the phantom.

    python tests/benchmarks/bench_simulation.py [--largest 48] [--seed 1] [--json FILE]

Every figure is the second call, after compilation, in float32; the first call is stated apart.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

import simulate
from simulate.base.selfcheck import environment

KNOTS = np.arange(0.0, 204.0, 0.1)


def seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """Of the first call and of the best of two more."""
    took = []
    for _ in range(3):
        start = time.perf_counter()
        jax.block_until_ready(work())
        took.append(time.perf_counter() - start)
    return took[0], min(took[1:])


def uniform_bed(key: Any, terminals: int) -> simulate.Bed:
    """A cube of tissue with about one cell to a terminal."""
    n = int(np.ceil(terminals ** (1 / 3)))
    demand = np.full((n, n, n), 0.006)
    vessels = simulate.grow_vessels(key, simulate.Domain(demand, (3.0, 3.0, 3.0)), terminals=terminals)
    tissue = simulate.Tissue(demand, demand / 5, 0.05, 0.2)
    return simulate.make_bed(vessels, simulate.solve_flow(vessels), tissue)


def protocol() -> simulate.DCEProtocol:
    return simulate.DCEProtocol(
        times=2.0 * np.arange(100), repetition_time=0.004, flip_angle=20.0, baseline=10, frame_duration=2.0
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=48, help="voxels along the edge of the largest phantom")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    key = jax.random.key(given.seed)
    aif = simulate.parker_aif(KNOTS, haematocrit=0.42, onset=20.0)
    out = simulate.readout(aif, KNOTS, protocol().times, 2.0)
    results: dict[str, Any] = {"environment": environment()}

    bed = uniform_bed(key, 5000)
    first, warm = seconds(lambda: simulate.spectral(bed, out))
    results["transport, 20,000 vessels x 512 frequencies"] = {"s": warm, "first call s": first}

    for edge in [n for n in (16, 24, 32, 48, 64, 96) if n <= given.largest]:
        terminals = round(5000 * (edge / 32) ** 3)
        phantom = simulate.tumour_phantom(key, shape=(edge,) * 3)

        def whole(edge: int = edge, terminals: int = terminals) -> Any:
            drawn = simulate.tumour_phantom(key, shape=(edge,) * 3)
            return simulate.simulate_dce(key, drawn, protocol(), aif, aif_times=KNOTS, terminals=terminals).series.data

        grow = seconds(lambda p=phantom, t=terminals: simulate.vascularise(key, p, terminals=t).t10)[1]
        first, warm = seconds(whole)
        results[f"phantom {edge}^3, {terminals} terminals, 100 frames"] = {
            "key to series s": warm, "of which vessels and flow s": grow, "first call s": first,
        }  # fmt: skip
    for name, figures in results.items():
        if name != "environment":
            print(name + ": " + ", ".join(f"{k} {v:.3g}" for k, v in figures.items()))
    if given.json:
        given.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
