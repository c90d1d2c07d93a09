"""How does a ResNet10 of volumes compare with PyTorch's on this machine? Forward, and gradient in the image (saliency).

Both have the same weights and are asked in turns, so that whatever else the machine does meets both; the best of all
turns counts. PyTorch may live in another environment.

    python tests/benchmarks/bench_networks.py [--edge 64] [--turns 20] [--torch PYTHON]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from classify.networks.resnet import ResNetArchitecture
from classify.networks.staged import pure

RIVAL = Path(__file__).with_name("torch_resnet.py")


class Rival:
    """The child process."""

    def __init__(self, python: str, file: Path):
        self.child = subprocess.Popen([python, RIVAL, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, what: str) -> Any:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        print(what, file=self.child.stdin, flush=True)
        return json.loads(self.child.stdout.readline())

    def end(self) -> None:
        assert self.child.stdin is not None
        self.child.stdin.close()
        self.child.wait()


def milliseconds(work: Any, *arguments: Any) -> float:
    begun = time.perf_counter()
    jax.block_until_ready(work(*arguments))
    return 1000 * (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edge", type=int, default=64)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--torch", default=sys.executable, help="the Python that has PyTorch")
    given = parser.parse_args()
    network = ResNetArchitecture(channels=3, outputs=2).build()
    apply, weights = pure(network)
    x = np.random.default_rng(0).standard_normal((1, *(given.edge,) * 3, 3)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        named = {".".join(map(str, where)): np.asarray(leaf) for where, leaf in nnx.to_flat_state(nnx.state(network))}
        np.savez(Path(folder) / "network.npz", x=x, **named)
        rival = Rival(given.torch, Path(folder) / "network.npz")
        theirs = rival.ask("values")
    image = jnp.asarray(x)
    work = {"forward": jax.jit(apply), "gradient": jax.jit(jax.grad(lambda w, x: apply(w, x)[:, 0].sum(), argnums=1))}
    np.testing.assert_allclose(work["forward"](weights, image)[0], theirs["logits"], atol=1e-3)
    np.testing.assert_allclose(jnp.linalg.norm(work["gradient"](weights, image)), theirs["gradient"], rtol=1e-2)
    turns = range(given.turns)
    print(f"ResNet10, 3 x {given.edge}^3, best of {given.turns}: ms here, PyTorch, ratio")
    for what, compiled in work.items():
        best = np.min([(milliseconds(compiled, weights, image), rival.ask(what)) for _ in turns], axis=0)
        print(f"{what:9} {best[0]:8.1f} {best[1]:8.1f} {best[0] / best[1]:6.2f}", flush=True)
    rival.end()


if __name__ == "__main__":
    main()
