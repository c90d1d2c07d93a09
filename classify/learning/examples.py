"""What a classifier learns from: examples by their number, in an order that seed and epoch alone decide."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from simulate.base.errors import InputError


class Example(NamedTuple):
    """One example, without what it is to be classified as.

    Attributes
    ----------
    image : (d, h, w, c) array
        A volume, channels last; or (c,) numbers.
    tabular : (t,) array or None
        Numbers beside it.
    mask : (d, h, w) array or None
        A region; the network gets it as a further channel.
    """

    image: Any
    tabular: Any = None
    mask: Any = None


class Batch(NamedTuple):
    """Examples side by side, with their targets."""

    image: Any
    tabular: Any
    mask: Any
    target: Any


@dataclass(frozen=True)
class Examples:
    """Examples by their number.

    Attributes
    ----------
    targets : (n, ...) array
        Of each what the loss compares with: a class as a whole number, or what a survival loss takes.
    at : callable
        Number of an example -> `Example`, always the same: the loader of a file, a simulation.
    """

    targets: np.ndarray
    at: Callable[[int], Example]

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.targets)

    @classmethod
    def of(cls, images: Any, targets: Any, *, tabular: Any = None, masks: Any = None) -> "Examples":
        """Examples that are in memory.

        Parameters
        ----------
        images : (n, d, h, w, c) array
            Volumes, channels last; or (n, c) numbers.
        targets : (n, ...) array
            Of each.
        tabular : (n, t) array
            Numbers beside the volumes.
        masks : (n, d, h, w) array
            Regions.

        Returns
        -------
        Examples
            In the order of the arrays.

        Raises
        ------
        InputError
            Where the arrays are not of one length.
        """
        given = {"images": images, "targets": targets, "tabular": tabular, "masks": masks}
        lengths = {name: len(array) for name, array in given.items() if array is not None}
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{length} {name}" for name, length in lengths.items())
            raise InputError("examples", "", f"are not of one length ({said})", "give one of each for every example")

        def at(number: int) -> Example:
            return Example(*(None if array is None else array[number] for array in (images, tabular, masks)))

        return cls(np.asarray(targets), at)

    def some(self, numbers: Sequence[int]) -> "Examples":
        """Those of these numbers, such as the training part of a split.

        Parameters
        ----------
        numbers : sequence of int
            Which, in their new order.

        Returns
        -------
        Examples
            Fewer of them.
        """
        chosen = [int(number) for number in numbers]
        return Examples(self.targets[chosen], lambda number: self.at(chosen[number]))

    def batch(self, numbers: Sequence[int]) -> Batch:
        """Those of these numbers side by side.

        Parameters
        ----------
        numbers : sequence of int
            Which.

        Returns
        -------
        Batch
            As arrays on the host.
        """
        found = [self.at(int(number)) for number in numbers]
        image, tabular, mask = (None if parts[0] is None else np.stack(parts) for parts in zip(*found, strict=True))
        return Batch(image, tabular, mask, self.targets[list(numbers)])


def drawn(examples: Examples, step: int, size: int, *, seed: int, balanced: bool = False) -> np.ndarray:
    """(size,) numbers of the examples of a training step.

    Every epoch takes each example once, in a random order, but for those that no longer fill a batch. With `balanced`
    every step draws with replacement, all classes alike.
    """
    if balanced:
        _, of_class, counts = np.unique(examples.targets, return_inverse=True, return_counts=True)
        odds = 1 / counts[of_class] / len(counts)
        return np.random.default_rng((seed, step)).choice(len(examples), size, p=odds)
    epoch, within = divmod(step, len(examples) // size)
    order = np.random.default_rng((seed, epoch)).permutation(len(examples))
    return order[within * size : (within + 1) * size]
