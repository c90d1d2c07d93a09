"""Scenes on disk: a file for each patient, made once; a killed run goes on where it stopped."""

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from experiments.studies.arterial_input import scenes
from experiments.studies.arterial_input.scenes import KINDS, Scene, draw_patient, make_scene
from simulate.base.progress import Progress, silent
from simulate.base.types import DCEProtocol
from simulate.files.hdf5 import read_hdf5, write_hdf5
from simulate.files.pieces import run_pieces

SPLITS = {"train": 0, "test": 20_000}
"""Number of the first patient."""

_PROTOCOL = ("times", "repetition_time", "flip_angle", "baseline", "frame_duration")


def write_bank(folder: Path, split: str, patients: int, *, progress: Progress = silent) -> list[Path]:
    """Simulate the patients of a split that are not there yet; some three seconds each."""

    def work(index: int, path: Path) -> None:
        patient = draw_patient(SPLITS[split] + index)
        write_hdf5(path, {kind: _to_tree(make_scene(patient, kind)) for kind in KINDS})

    names = [f"{split}-{i:04d}.h5" for i in range(patients)]
    config = {"split": split} | constants()
    return run_pieces(
        folder / split, names, work, config=config, code=(scenes.__name__,), what="patients", progress=progress
    )


def read_bank(paths: list[Path]) -> Iterator[Scene]:
    """Every scene of these patients, one at a time."""
    for path in paths:
        tree = read_hdf5(path)
        yield from (_from_tree(tree[kind]) for kind in KINDS)


def constants() -> dict[str, Any]:
    """What scenes are drawn from: the capitals of their module that are numbers."""
    found = {name: value for name, value in vars(scenes).items() if name.isupper() and name != "KINDS"}
    return {name: value for name, value in found.items() if isinstance(value, float | int | tuple)}


def _to_tree(scene: Scene) -> dict[str, Any]:
    plain = [f.name for f in fields(Scene) if f.name not in ("protocol", "about")]
    protocol = {name: np.asarray(getattr(scene.protocol, name)) for name in _PROTOCOL}
    return {name: getattr(scene, name) for name in plain} | {"protocol": protocol, "about": json.dumps(scene.about)}


def _from_tree(tree: dict[str, Any]) -> Scene:
    protocol = {name: value if np.ndim(value) else value.item() for name, value in tree["protocol"].items()}
    rest = {name: value for name, value in tree.items() if name not in ("protocol", "about", "onset", "area")}
    return Scene(
        **rest, onset=float(tree["onset"]), area=float(tree["area"]), protocol=DCEProtocol(**protocol),
        about=json.loads(tree["about"]),
    )  # fmt: skip
