"""Banks of phantoms as their responses, on disk: what an estimator is trained, calibrated and tested on.

Every split has its own random keys, so no two splits share a vessel tree or a tissue map.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from simulate.banks import contrast
from simulate.banks import water as label
from simulate.banks.contrast import Responses, phantom_responses
from simulate.banks.water import label_responses
from simulate.base.errors import InputError
from simulate.base.progress import Progress, silent
from simulate.base.units import from_clinical
from simulate.examinations.perfused import PerfusedPhantom, vascularise
from simulate.files.atomic import AnyPath
from simulate.files.hdf5 import read_hdf5, write_hdf5
from simulate.files.pieces import run_pieces
from simulate.phantoms.tumour import Phantom, tumour_phantom

SPLITS = ("train", "calibrate", "validate", "test")

MIXINGS = (1.0, 0.5, 0.25, 0.0)
"""Capillaries of 1, 2 and 4 stirred tanks and in plug flow; a bank mixes them in equal shares."""

CELLS = (1.5, 2.0, 3.0)
"""Edges of a voxel [mm]."""

TRACERS = {"contrast": contrast, "water": label}
"""What may flow through a bank's phantoms: modules with the KNOTS and TRUTHS of their responses."""

LATE = {"contrast": (2.0, 6.0), "water": (0.2, 3.0)}
"""Range of a phantom's `max_precapillary_delay` [s]: label that is under way for much longer leaves nothing to read."""

EXCHANGE = (60.0, 400.0)
"""Range of PSw of water [mL/100 mL/min], log-uniform over phantoms (chosen about the brain's 100 to 200)."""

_ATTEMPTS = 5
"""Sets of vessels to try."""

GRADES, GRADE_SHARES = (0, 2, 3, 4), (0.08, 0.22, 0.25, 0.45)


class BankConfig(NamedTuple):
    """What makes a bank; chosen. None draws from the module's lists.

    side : voxels along an edge of a phantom.      terminals : of each of its two trees.
    rough : largest factor on the texture of tissue; each phantom draws one from 1 to this. Above 1 no two voxels are of
    the same tissue, so that a network cannot learn a bank's few tissues by heart.
    supply : keep the local arterial input of every voxel as well, for estimators that are given it.
    tracer : of `TRACERS`.
    width, t10 : factors on the priors of all tissue, as of `tumour_phantom`; 1 in training.
    """

    seed: int = 0
    split: str = "train"
    side: int = 16
    terminals: int = 2000
    mixing: float | None = None
    cell: float | None = None
    grade: int | None = None
    rough: float = 1.0
    supply: bool = False
    tracer: str = "contrast"
    width: float = 1.0
    t10: float = 1.0


class Bank(NamedTuple):
    """Stacked `Responses` of n phantoms: shape (n, c, m) float16, peak (n, c), truth (n, c, p), region (n, c),
    cell (n,) [mm], mixing (n,), supply (n, c or 0, m) float16."""

    shape: Any
    peak: Any
    truth: Any
    region: Any
    cell: Any
    mixing: Any
    supply: Any
    side: int

    def map(self, change: Callable[[Any], Any]) -> "Bank":
        """The bank with every array changed."""
        return self._make([*(change(array) for array in self[:-1]), self.side])


def bank_phantom(config: BankConfig, index: int) -> Responses:
    """Phantom number `index` of a bank; the same every time, and with the same vessels for every `mixing`."""
    root = jax.random.fold_in(jax.random.key(config.seed), SPLITS.index(config.split))
    draw, grow = jax.random.split(jax.random.fold_in(root, index))
    rng = np.random.default_rng([config.seed, SPLITS.index(config.split), index])
    grade, cell, mixing, late = (
        rng.choice(GRADES, p=GRADE_SHARES), rng.choice(CELLS), rng.choice(MIXINGS), rng.uniform(*LATE[config.tracer])
    )  # fmt: skip
    texture = float(rng.uniform(1.0, config.rough))
    edge = float(cell if config.cell is None else config.cell)
    phantom = tumour_phantom(
        draw, shape=(config.side, config.side, config.side), cell=(edge, edge, edge),
        grade=int(grade if config.grade is None else config.grade),
        mixing=float(mixing if config.mixing is None else config.mixing), max_precapillary_delay=float(late),
        texture=texture, width=config.width, t10=config.t10,
    )  # fmt: skip
    perfused = _perfused(grow, phantom, config.terminals)
    if config.tracer == "water":
        exchange = from_clinical("PS", float(np.exp(rng.uniform(*np.log(EXCHANGE)))))
        return label_responses(perfused, exchange=exchange)
    return phantom_responses(perfused, with_supply=config.supply)


def _perfused(key: jax.Array, phantom: Phantom, terminals: int) -> PerfusedPhantom:
    """The phantom with vessels; where a tree has a branch too narrow for blood (one in a hundred), with other ones."""
    for attempt in range(_ATTEMPTS - 1):
        try:
            return vascularise(jax.random.fold_in(key, attempt) if attempt else key, phantom, terminals=terminals)
        except InputError:
            continue
    return vascularise(jax.random.fold_in(key, _ATTEMPTS - 1), phantom, terminals=terminals)


def write_bank(
    folder: AnyPath, config: BankConfig, count: int, *, what: str = "phantoms", progress: Progress = silent
) -> list[Path]:
    """Simulate the bank's phantoms into a folder, one file each; what is there already is kept."""

    def work(index: int, path: Path) -> None:
        found = bank_phantom(config, index)
        tree = {name: np.asarray(getattr(found, name)) for name in found._fields}
        truths = " ".join(TRACERS[config.tracer].TRUTHS)
        write_hdf5(path, tree, {"config": json.dumps(config._asdict()), "truths": truths})

    names = [f"{config.split}-{i:05d}.h5" for i in range(count)]
    return run_pieces(folder, names, work, config=config._asdict(), code=(__name__,), what=what, progress=progress)


def read_bank(paths: Sequence[Path], *, tracer: str = "contrast") -> Bank:
    """Load phantoms (all of one size) into memory; 1.8 MB each at 16 voxels along an edge.

    Raises InputError for a file whose responses were made at other knots or are not finite, or phantoms of different
    size.
    """
    first = read_hdf5(paths[0])
    cells, knots = len(first["shape"]), TRACERS[tracer].KNOTS.size
    shape = np.empty((len(paths), cells, knots), np.float16)
    rest: dict[str, list[Any]] = {name: [] for name in ("peak", "truth", "region", "cell", "mixing", "supply")}
    for i, path in enumerate(paths):
        tree = read_hdf5(path)
        if tree["shape"].shape != (cells, knots):
            raise InputError(path, "shape", f"is {tree['shape'].shape}, not {(cells, knots)}", "make the bank again")
        if not np.isfinite(tree["peak"]).all():
            raise InputError(path, "peak", "is not finite in some voxel", "delete the file and make the bank again")
        shape[i] = tree["shape"]
        for name, values in rest.items():
            values.append(tree[name][0] if name == "cell" else tree[name])
    stacked = {name: np.stack(values) for name, values in rest.items()}
    return Bank(shape=shape, side=int(first["cells"][0]), **stacked)
