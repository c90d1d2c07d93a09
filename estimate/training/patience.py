"""Early stopping: the weights of the best validation are kept, and a run ends that has not bettered them for long."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from estimate.networks.tree_file import load_tree, save_tree

BEST = "best.safetensors"


@dataclass(frozen=True)
class Patience:
    """measure : what of the validation is to become small.      validations : without a smaller one, until the end."""

    measure: str
    validations: int


class Lowest:
    """The validations so far, and in a file the weights of the lowest.

    A resumed run is told the validations up to its checkpoint. If the file is of a later one, the run comes to that
    one again, since it is the same run.
    """

    def __init__(self, folder: Path, patience: Patience, log: list[dict[str, Any]]):
        self.file, self.patience, self.name = folder / BEST, patience, f"validation {patience.measure}"
        self.values = [line[self.name] for line in log if self.name in line]

    def add(self, entry: dict[str, Any], weights: Any) -> None:
        value = entry[self.name]
        if not np.isfinite(value):
            raise FloatingPointError(f"the {self.name} is not finite at step {entry['step']}")
        if not self.values or value < min(self.values):
            save_tree(self.file, weights, {self.name: value})
        self.values.append(value)

    @property
    def over(self) -> bool:
        return self.values != [] and len(self.values) - int(np.argmin(self.values)) > self.patience.validations

    def weights(self, like: Any) -> Any:
        return load_tree(self.file, like)
