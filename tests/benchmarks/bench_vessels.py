"""How fast do vessels grow, how little blood do they hold, how fast is flow in a mesh with loops?

1. Trees over 1,000 to 100,000 terminals (more with --largest) in a cube of 100 mm that asks for the same flow
   everywhere: `grow_tree` alone, `grow_vessels` (arteries, veins, radii, territories), each in a fresh process that
   reports its peak memory.
2. 500 terminals, three seeds: volume of blood against incremental constrained constructive optimisation
   (incremental_cco.py) with the same terminals, flows, root, Murray exponent, pressure drop and rule for the radii.
3. Flow in a cubic mesh of capillaries with lognormal radii, inlet and outlet faces held at a pressure, float64, one
   viscosity and Pries' laws.

    python tests/benchmarks/bench_vessels.py [--largest 1000000] [--seed 1] [--json FILE]
"""

import argparse
import json
import multiprocessing
import resource
import time
from pathlib import Path

import jax
import numpy as np
from incremental_cco import grow_incrementally

from simulate.base.constants import MURRAY_EXPONENT
from simulate.base.selfcheck import environment
from simulate.flow.graph import Network
from simulate.flow.network import solve_network
from simulate.vessels.domain import Domain, place_terminals
from simulate.vessels.growth import grow_tree
from simulate.vessels.network import ARTERIAL_DROP, DESIGN_VISCOSITY, grow_vessels
from simulate.vessels.radii import with_radii

EDGE = 100.0  # mm
PERFUSION = 0.01  # 1/s


def cube(terminals: int) -> Domain:
    """A cube with about four cells to a terminal."""
    cells = int(np.ceil((4 * terminals) ** (1 / 3)))
    return Domain(np.full((cells,) * 3, PERFUSION), (EDGE / cells,) * 3)


def terminals_in_cube(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Terminals (t, 3) [mm], unequal flows (t,) [mm^3/s] and the root [mm]."""
    rng = np.random.default_rng([seed, count])
    flow = np.exp(0.3 * rng.standard_normal(count))
    at = place_terminals(rng, cube(count), count)
    return at, flow * PERFUSION * EDGE**3 / flow.sum(), np.array([0.5, 0.5, 0.0]) * EDGE


def timed(work) -> tuple[float, object]:
    start = time.perf_counter()
    result = jax.block_until_ready(work())
    return time.perf_counter() - start, result


def growth(seed: int, count: int) -> dict[str, float]:
    """Seconds of `grow_tree` and of `grow_vessels`, the best of up to three, and peak memory of this process."""
    repeats = 3 if count <= 100_000 else 1
    at, flow, root = terminals_in_cube(seed, count)
    tree = min(timed(lambda: grow_tree(np.random.default_rng(seed), at, flow, root))[0] for _ in range(repeats))
    key, domain = jax.random.key(seed), cube(count)
    vessels = min(timed(lambda: grow_vessels(key, domain, terminals=count))[0] for _ in range(repeats))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"terminals": count, "grow_tree s": tree, "grow_vessels s": vessels, "peak memory GB": memory}


def in_fresh_process(work, *arguments) -> dict[str, float]:
    """The peak memory of a process never falls: measure each size in its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def volume_against_incremental(seed: int, count: int) -> dict[str, float]:
    """Blood volume of both trees [mm^3] and seconds."""
    at, flow, root = terminals_in_cube(seed, count)
    growers = {
        "bisection and relaxation": lambda rng: grow_tree(rng, at, flow, root, exponent=MURRAY_EXPONENT),
        "incremental": lambda rng: grow_incrementally(rng, at, flow, root, exponent=MURRAY_EXPONENT),
    }
    result: dict[str, float] = {"terminals": count}
    for name, grow in growers.items():
        seconds, tree = timed(lambda grow=grow: grow(np.random.default_rng(seed)))
        sized = with_radii(tree, flow, pressure_drop=ARTERIAL_DROP, viscosity=DESIGN_VISCOSITY)
        result |= {f"{name}: volume mm^3": float(sized.volume.sum()), f"{name}: s": seconds}
    ours, theirs = (result[f"{name}: volume mm^3"] for name in growers)
    return result | {"volume / incremental": ours / theirs}


def capillary_mesh(seed: int, side: int) -> tuple[Network, dict[str, np.ndarray]]:
    """side^3 nodes 60 micrometres apart; radii lognormal about 3 micrometres (spread 0.2), none below 1.6."""
    node = np.arange(side**3).reshape((side,) * 3)
    tail = np.concatenate([node[:-1].ravel(), node[:, :-1].ravel(), node[:, :, :-1].ravel()])
    head = np.concatenate([node[1:].ravel(), node[:, 1:].ravel(), node[:, :, 1:].ravel()])
    radius = 3e-3 * np.exp(0.2 * np.random.default_rng(seed).standard_normal(tail.size))
    network = Network(tail, head, np.maximum(radius, 1.6e-3), np.full(tail.size, 0.06))
    faces = np.concatenate([node[0].ravel(), node[-1].ravel()])
    return network, {"fixed": faces, "pressure": np.repeat([4000.0, 1000.0], side**2)}


def mesh_flow(seed: int, nodes: int) -> dict[str, float]:
    """Seconds of the second and third call (the first compiles), table of neighbours included."""
    side = round(nodes ** (1 / 3))
    network, conditions = capillary_mesh(seed, side)
    result: dict[str, float] = {"nodes": side**3, "vessels": network.tail.size}
    for name, viscosity in (("", DESIGN_VISCOSITY), ("Pries: ", None)):
        runs = [timed(lambda v=viscosity: solve_network(network, viscosity=v, **conditions)) for _ in range(3)]
        flow = runs[-1][1]
        result |= {
            f"{name}s": min(seconds for seconds, _ in runs[1:]),
            f"{name}first call s": runs[0][0],
            f"{name}iterations": int(flow.iterations),
            f"{name}residual": float(flow.residual),
        }
    return result


def show(title: str, rows: list[dict[str, float]]) -> None:
    print(f"\n{title}")
    for name in rows[0]:
        print(f"  {name:38}" + "".join(f"{row[name]:>14,.4g}" for row in rows), flush=True)


def exponent_of_cost(rows: list[dict[str, float]], size: str, cost: str) -> float:
    """Slope of log cost over log size: 1 is linear."""
    return float(np.polyfit(np.log([r[size] for r in rows]), np.log([r[cost] for r in rows]), 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=100_000, help="terminals and nodes of the largest size")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    sizes = [n for n in (1000, 10_000, 100_000, 1_000_000) if n <= given.largest]

    grown = [in_fresh_process(growth, given.seed, n) for n in sizes]
    show("growth", grown)
    compared = [volume_against_incremental(given.seed + k, 500) for k in range(3)]
    show("volume of blood, the same terminals and flows, three seeds", compared)
    meshes = [mesh_flow(given.seed, n) for n in (1000, 10_000, 91_125, 1_000_000) if n <= given.largest]
    show("flow in a cubic mesh, float64", meshes)
    orders = {
        "grow_vessels s": exponent_of_cost(grown, "terminals", "grow_vessels s"),
        "flow s": exponent_of_cost(meshes, "nodes", "s"),
    }
    show("cost grows as size to the power", [orders])
    if given.json:
        results = {"environment": environment(), "growth": grown, "volume": compared, "flow": meshes, "order": orders}
        given.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
