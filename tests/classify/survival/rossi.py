"""Rossi's 432 released prisoners (Rossi, Berk & Lenihan 1980), which lifelines ships; an oracle in tests alone."""

import warnings
from typing import NamedTuple

import numpy as np
import pytest


class Rossi(NamedTuple):
    features: np.ndarray
    names: tuple[str, ...]
    time: np.ndarray
    event: np.ndarray


def oracle():
    """lifelines, or the test is skipped; what it and pandas warn of at import is theirs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("lifelines", reason="lifelines (the extra `oracles`) is not installed")


def rossi():
    oracle()
    from lifelines.datasets import load_rossi

    table = load_rossi()
    features = table.drop(columns=["week", "arrest"])
    return Rossi(features.to_numpy(float), tuple(features), table["week"].to_numpy(float), table["arrest"].to_numpy())
