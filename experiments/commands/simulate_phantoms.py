"""What every simulated examination shares: its phantom, its vessels as arrays, one file or a folder of many."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from jaxtyping import Array, Key

from experiments.config.phantoms import PhantomConfig, PhantomsConfig
from simulate.base.errors import InputError
from simulate.base.progress import Progress
from simulate.base.typed import as_record
from simulate.base.units import PASCAL_PER_MMHG
from simulate.bed.assembly import Bed
from simulate.files.atomic import prepare_output_folder, temporary_sibling
from simulate.files.hdf5 import read_hdf5_attributes
from simulate.files.pieces import run_pieces
from simulate.phantoms.tumour import Phantom, tumour_phantom

C = TypeVar("C", bound=PhantomsConfig)
E = TypeVar("E")


@dataclass(frozen=True)
class Kind(Generic[C, E]):
    """A kind of examination, as functions.

    simulate : of (config, index).      write : of (path, examination, config, index), an HDF5 file.
    nifti : of (folder, examination, config).      figures : of (examination), pictures by name.
    module : which these belong to, and whose code makes them.
    """

    simulate: Callable[[C, int], E]
    write: Callable[[Path, E, C, int], None]
    nifti: Callable[[Path, E, C], None]
    figures: Callable[[E], dict[str, Any]]
    module: str


def run_phantoms(
    kind: Kind[C, E], config: C, out: Path, *, nifti: bool, pictures: bool, progress: Progress
) -> list[Path]:
    """Simulate every phantom that a configuration asks for.

    One phantom becomes the file `out` (.h5), or the folder `out` with NIfTI files where `nifti`. Several become
    phantom-00000.h5, ... in the folder `out`; a killed run goes on where it stopped. Pictures lie beside the
    first one.

    Raises InputError, before any work, where `out` cannot be what is to be written, or is a file of another origin.
    """
    count = config.phantoms
    if nifti and count > 1:
        raise InputError("--nifti", "", f"{count} phantoms are asked for", "write several as HDF5")
    _check_out(out, nifti=nifti, count=count)
    if count == 1:
        folder = prepare_output_folder(out if nifti else out.parent)
        progress("simulating", 0, 1)
        simulation = kind.simulate(config, 0)
        if nifti:
            kind.nifti(folder, simulation, config)
        else:
            kind.write(out, simulation, config, 0)
        if pictures:
            _draw(kind.figures(simulation), folder, "" if nifti else f"{out.stem}-")
        return [out]
    kept = as_record(config)
    for irrelevant in ("phantoms", "memory"):  # more phantoms may be asked for later
        kept[""].pop(irrelevant, None)

    def work(index: int, path: Path) -> None:
        simulation = kind.simulate(config, index)
        kind.write(path, simulation, config, index)
        if pictures and index == 0:
            _draw(kind.figures(simulation), path.parent, f"{path.stem}-")

    names = [f"phantom-{i:05d}.h5" for i in range(count)]
    return run_pieces(out, names, work, config=kept, code=(kind.module,), what="phantoms", progress=progress)


def _check_out(out: Path, *, nifti: bool, count: int) -> None:
    """One examination as HDF5 needs a file that is free or an earlier run's; everything else a folder."""
    is_hdf5 = out.suffix.lower() in (".h5", ".hdf5")
    if nifti or count > 1:
        if is_hdf5 and nifti:
            raise InputError(out, "", "names a file, and --nifti fills a folder", "name a folder, or drop --nifti")
        if is_hdf5:
            raise InputError(out, "", f"names a file, and {count} phantoms fill a folder", "name a folder")
        if nifti and (foreign := _foreign_file(out)) is not None:
            problem = "is there, and no simulation wrote the files of this folder"
            raise InputError(foreign, "", problem, "name another folder, or an empty one")
    elif not is_hdf5:
        raise InputError(out, "", "does not end in .h5", "name a file such as phantom.h5, or give --nifti")
    elif out.is_dir():
        raise InputError(out, "", "is a folder", "give the name of a file to write")
    elif out.exists() and not _is_of_an_earlier_run(out):
        problem = "is there, and no earlier run of tracerflow wrote it"
        raise InputError(out, "", problem, "name another file, or move this one")


def _foreign_file(folder: Path) -> Path | None:
    """A file of a folder that is not an earlier simulation's, which a sidecar with our provenance tells."""
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    for sidecar in (path for path in files if path.suffix == ".json"):
        try:
            if json.loads(sidecar.read_text())["Provenance"]["command"].startswith("tracerflow simulate"):
                return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return files[0] if files else None


def _is_of_an_earlier_run(path: Path) -> bool:
    """Whether a file is HDF5 that carries tracerflow's provenance."""
    try:
        record = json.loads(read_hdf5_attributes(path)["provenance"])
        return record["command"].startswith("tracerflow ")
    except (InputError, KeyError, TypeError, ValueError, AttributeError):
        return False


def phantom_of(key: Key[Array, ""], config: PhantomConfig) -> Phantom:
    """The phantom that a configuration describes."""
    capillaries = config.capillaries
    mixing = {"2cxm": 1.0, "dp": 0.0}.get(capillaries) if "-" not in capillaries else 1 / int(capillaries[6:])
    assert mixing is not None
    return tumour_phantom(
        key, shape=config.shape, cell=config.cell, grade=config.grade, mixing=mixing, late_supply=config.late_feed
    )


def vessel_arrays(bed: Bed) -> dict[str, dict[str, Any]]:
    """Both trees with their flow, as files hold them: pressure in mmHg, everything else in internal units."""
    return {
        name: {
            "position": tree.position, "parent": tree.parent, "radius": tree.radius, "length": tree.length,
            "terminals": tree.terminals, "plasma_flow": flow.plasma, "red_cell_flow": flow.red_cells,
            "pressure": np.asarray(flow.pressure) / PASCAL_PER_MMHG, "tube_haematocrit": flow.tube_haematocrit,
        }
        for name, tree, flow in (
            ("arteries", bed.vessels.arteries, bed.flow.arteries), ("veins", bed.vessels.veins, bed.flow.veins)
        )
    }  # fmt: skip


def _draw(figures: dict[str, Any], folder: Path, prefix: str) -> None:
    for name, figure in figures.items():
        with temporary_sibling(folder / f"{prefix}{name}.png") as path:
            figure.savefig(path, dpi=110)
