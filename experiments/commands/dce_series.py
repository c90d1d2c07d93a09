"""A DCE series from one file, or from one for each frame; and the images of variable flip angles likewise."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from estimate.signal.t10 import VFA
from experiments.commands.inputs import as_series, files_of
from simulate.files.bids.vfa import read_vfa_sidecars
from simulate.files.nifti import Image, check_same_grid, read_image


def read_series(series: Path | list[Path]) -> Image:
    """The 4-D image; of several files, each a frame in the order of time, stacked once. Its path is the first's."""
    if isinstance(series, Path):
        return read_image(series, dimensions=4)
    first = read_image(series[0], dimensions=3)
    data = np.empty((*first.data.shape, len(series)), np.float32)
    data[..., 0] = first.data
    for i, path in enumerate(series[1:], 1):
        frame = read_image(path, dimensions=3)
        check_same_grid(frame, first, "frame")
        data[..., i] = frame.data
    return Image(data, first.affine, first.path)


def series_name(series: Path | list[Path]) -> str:
    """For people: a file's name, or the first and the last of several."""
    return series.name if isinstance(series, Path) else f"{series[0].name} to {series[-1].name}"


def read_vfa(paths: Sequence[Path], image: Image, files: list[Path], overrides: dict[str, object]) -> VFA:
    """The volumes of all files in the order given, on the grid of `image`, with their angles and TR."""
    own = [as_series(read_image(path, dimensions=(3, 4))) for path in paths]
    for vfa in own:
        check_same_grid(vfa, image, "VFA images")
    files += files_of(*paths)
    volumes = [vfa.data.shape[3] for vfa in own]
    angles, repetition_time = read_vfa_sidecars(paths, volumes=volumes, overrides=overrides)
    data = own[0].data if len(own) == 1 else np.concatenate([vfa.data for vfa in own], axis=3)
    return VFA(data, angles, repetition_time)
