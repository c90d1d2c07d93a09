"""The rival of bench_networks.py, in a process of its own: the same ResNet10 in PyTorch, timed when it is told to.

    python tests/benchmarks/torch_resnet.py FILE.npz

The file holds the input x (1, d, h, w, c) and the weights by the names that the network here gives them. For every line
"forward" or "gradient" on its standard input it answers with a line of milliseconds; for "values" with the logits and
the norm of the input's gradient.
"""

import json
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

GROUPS = 8


class ResNet10:
    """After MONAI's layout, normalised by groups."""

    def __init__(self, weights: dict[str, np.ndarray]):
        self.weights = {
            name: torch.from_numpy(np.ascontiguousarray(array.transpose(4, 3, 0, 1, 2) if array.ndim == 5 else array))
            for name, array in weights.items()
        }

    def normalised(self, x: torch.Tensor, name: str, *, stride: int = 1) -> torch.Tensor:
        kernel = self.weights[f"{name}.convolution.kernel"]
        bias = self.weights.get(f"{name}.convolution.bias")
        x = F.conv3d(x, kernel, bias, stride=stride, padding=kernel.shape[-1] // 2)
        return F.group_norm(x, GROUPS, self.weights[f"{name}.norm.scale"], self.weights[f"{name}.norm.bias"])

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool3d(F.relu(self.normalised(x, "stem", stride=2)), 3, stride=2, padding=1)
        for stage in range(4):
            block, stride = f"stages.{stage}.0", 2 if stage else 1
            h = self.normalised(F.relu(self.normalised(x, f"{block}.branch.0", stride=stride)), f"{block}.branch.1")
            x = F.relu(h + (self.normalised(x, f"{block}.shortcut", stride=stride) if stage else x))
        return F.linear(x.mean((2, 3, 4)), self.weights["dense.kernel"].T, self.weights["dense.bias"])


def gradient(network: ResNet10, x: torch.Tensor) -> torch.Tensor:
    x = x.clone().requires_grad_()
    network(x)[:, 0].sum().backward()
    assert x.grad is not None
    return x.grad


def main() -> None:
    given = dict(np.load(sys.argv[1]))
    x = torch.from_numpy(np.ascontiguousarray(given.pop("x").transpose(0, 4, 1, 2, 3)))
    network = ResNet10(given)
    for line in sys.stdin:
        begun = time.perf_counter()
        if line.strip() == "forward":
            with torch.no_grad():
                network(x)
        else:
            slope = gradient(network, x)
        answer: object = 1000 * (time.perf_counter() - begun)
        if line.strip() == "values":
            answer = {"logits": network(x).ravel().tolist(), "gradient": float(slope.norm())}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
