"""Nested dictionaries of arrays in one HDF5 file, written atomically; no objects, no pickle."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from simulate.base.errors import InputError
from simulate.files.atomic import AnyPath, temporary_sibling

NUMBERS = "biufc"
"""Kinds of NumPy types that are stored: booleans, integers, floats, complex."""

WRITE_AGAIN = "copy or write it again"


def write_hdf5(path: AnyPath, tree: dict[str, Any], attributes: dict[str, str | int | float] | None = None) -> None:
    """Write a nested dict of arrays, numbers and strings: dicts become groups, arrays gzipped chunks.

    attributes : what the whole file carries (config, seed, version), kept at its root.
    """
    with temporary_sibling(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update(attributes or {})
        _write_group(file, tree)


def _write_group(group: h5py.Group, tree: dict[str, Any]) -> None:
    for name, value in tree.items():
        if "/" in name:
            raise ValueError(f"{name!r}: a name in HDF5 holds no slash; nest dicts instead")
        if isinstance(value, dict):
            _write_group(group.create_group(name), value)
        elif isinstance(value, str):
            group[name] = value
        else:
            _write_array(group, name, np.asarray(value))


def _write_array(group: h5py.Group, name: str, array: np.ndarray) -> None:
    if array.dtype.kind not in NUMBERS:
        raise TypeError(f"{name!r}: HDF5 files hold numbers, strings and dicts, not {array.dtype}")
    # HDF5 cannot chunk what has no elements or no axes; shuffled bytes make floats compress better.
    options = {"compression": "gzip", "shuffle": True} if array.size and array.ndim else {}
    group.create_dataset(name, data=array, **options)


def read_hdf5(path: AnyPath) -> dict[str, Any]:
    """Read the nested dict back: NumPy arrays, NumPy scalars and str."""
    with _opened(path) as file:
        try:
            return _read_group(file, path)
        except (OSError, RuntimeError, KeyError) as error:
            raise InputError(path, "", "is damaged", WRITE_AGAIN) from error


def read_hdf5_attributes(path: AnyPath) -> dict[str, Any]:
    """Read the attributes at the root of the file."""
    with _opened(path) as file:
        return {name: _plain(value) for name, value in file.attrs.items()}


def _opened(path: AnyPath) -> h5py.File:
    if not Path(path).is_file():
        raise InputError(path, "", "no such file", "check the path")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError(path, "", "is not a complete HDF5 file", WRITE_AGAIN) from error


def _read_group(group: h5py.Group, path: AnyPath) -> dict[str, Any]:
    return {
        name: _read_group(item, path) if isinstance(item, h5py.Group) else _read_dataset(item, path)
        for name, item in group.items()
    }


def _read_dataset(dataset: Any, path: AnyPath) -> Any:
    is_text = h5py.check_string_dtype(dataset.dtype) is not None
    if not is_text and dataset.dtype.kind not in NUMBERS:
        raise InputError(path, dataset.name, f"holds {dataset.dtype}, not numbers or text", "store it as numbers")
    return dataset.asstr()[()] if is_text else dataset[()]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
