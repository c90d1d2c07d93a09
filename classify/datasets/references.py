"""Where an image of a cohort is: a file, or a dataset in an HDF5 file (`file.h5::/dataset`)."""

from dataclasses import dataclass
from pathlib import Path

import h5py

from simulate.base.errors import InputError

INSIDE = "::"
HDF5 = (".h5", ".hdf5")
NIFTI = (".nii", ".nii.gz")


@dataclass(frozen=True)
class Reference:
    """An image that a table names.

    Attributes
    ----------
    file : path
        Which holds it.
    dataset : str
        In an HDF5 file; empty for a NIfTI image.
    """

    file: Path
    dataset: str = ""

    def beside(self, name: str) -> "Reference":
        """Another dataset of the same group, or the file itself for a NIfTI image."""
        return Reference(self.file, f"{self.dataset.rsplit('/', 1)[0]}/{name}" if self.dataset else "")

    def __str__(self) -> str:
        return f"{self.file}{INSIDE}{self.dataset}" if self.dataset else str(self.file)


def is_reference(text: str) -> bool:
    """Whether a cell of a table names an image."""
    return INSIDE in text or text.lower().endswith(NIFTI)


def reference(text: str, folder: Path, where: str, column: str) -> Reference:
    """What a cell names; relative paths begin at the table's folder.

    Parameters
    ----------
    text : str
        Of the cell.
    folder : path
        Of the table.
    where : str
        The table and row, for errors.
    column : str
        For errors.

    Returns
    -------
    Reference
        To a file that is there, and a dataset that it holds.

    Raises
    ------
    InputError
        For a file that is missing or no HDF5, a dataset that it does not hold.
    """
    name, _, dataset = text.partition(INSIDE)
    file = folder / name
    if not file.is_file():
        raise InputError(where, column, f"names {name}, which is not there", "mend the path or leave the cell empty")
    if dataset:
        try:
            with h5py.File(file, "r") as opened:
                there = dataset in opened
        except OSError as error:
            raise InputError(file, "", "is not a complete HDF5 file", "copy or write it again") from error
        if not there:
            raise InputError(where, column, f"names {dataset}, which {name} does not hold", "mend the name")
    return Reference(file, dataset)
