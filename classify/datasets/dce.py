"""A DCE examination of a cohort, ready to be estimated: a virtual patient's file, or NIfTI with its sidecar."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from classify.attribution.grids import resampled
from classify.datasets.cohort import Subject
from estimate.signal.t10 import VFA
from simulate.base.constants import HAEMATOCRIT
from simulate.base.errors import InputError
from simulate.base.types import Maps, Series
from simulate.files.bids.dce import read_dce_sidecar
from simulate.files.bids.vfa import read_vfa_sidecars
from simulate.files.hdf5 import read_hdf5
from simulate.files.nifti import Image, read_image, same_place
from simulate.inputs.arterial_input import ArterialInput
from simulate.patients.nifti import protocol_of

SOLID = 4
"""Label of the solid, enhancing part (BraTS)."""

CORE = 1
"""Of necrosis."""


@dataclass(frozen=True)
class DCECase:
    """What estimators are given of one examination.

    Attributes
    ----------
    subject : Subject
        Whose it is.
    series : Series
        Signal.
    t10 : VFA, (x, y, z) array [s] or float [s]
        T1 before contrast, or the images to find it from.
    inside : (x, y, z) bool array
        Voxels of tissue, all where nothing says it.
    labels : (x, y, z) int array
        Of the segmentation, on the grid of the series.
    haematocrit : float [fraction]
        Of the patient, or a typical one.
    truth : Maps or None
        Of a virtual patient, on the same grid.
    true_aif : ArterialInput or None
        Likewise.
    asl : dict or None
        Of a virtual patient, the labelled series as its file holds it.
    notes : list of str
        What was done to bring it here.
    """

    subject: Subject
    series: Series
    t10: Any
    inside: np.ndarray
    labels: np.ndarray
    haematocrit: float
    truth: Maps | None = None
    true_aif: ArterialInput | None = None
    asl: Any = None
    notes: list[str] = field(default_factory=list)

    @property
    def solid(self) -> np.ndarray:
        """(x, y, z) the solid part."""
        return self.labels == SOLID


def open_dce(subject: Subject) -> DCECase:
    """Read the images in the columns dce, dce_segmentation (or segmentation), and vfa or t10.

    Parameters
    ----------
    subject : Subject
        A row with an image in the column dce.

    Returns
    -------
    DCECase
        In memory.

    Raises
    ------
    InputError
        For a file that is damaged, no segmentation, no T1, a solid part without a voxel.
    """
    series = subject.images["dce"]
    case = _virtual(subject) if series.dataset else _from_nifti(subject)
    if not case.solid.any():
        where = f"cohort: {subject.id}"
        raise InputError(where, "segmentation", f"has no voxel of {SOLID} in the series", "leave the row out")
    return case


def _virtual(subject: Subject) -> DCECase:
    tree = read_hdf5(subject.images["dce"].file)
    dce = tree["dce"]
    protocol = protocol_of(dce["protocol"])
    truth, aif = tree.get("truth"), tree.get("true_aif")
    return DCECase(
        subject=subject,
        series=Series(np.asarray(dce["signal"], np.float32), protocol, dce["affine"]),
        t10=VFA(np.asarray(dce["vfa"], np.float32), dce["vfa_angles"], float(protocol.repetition_time)),
        inside=np.asarray(dce["mask"], bool), labels=np.asarray(dce["segmentation"]),
        haematocrit=float(tree["person"]["haematocrit"]),
        truth=None if truth is None else Maps(truth, dce["affine"]),
        true_aif=None if aif is None else ArterialInput(aif["times"], aif["plasma"], "truth"),
        asl=tree.get("asl"),
    )  # fmt: skip


def _from_nifti(subject: Subject) -> DCECase:
    where = f"cohort: {subject.id}"
    image = read_image(subject.images["dce"].file, dimensions=4)
    sidecar = read_dce_sidecar(image.path, frames=image.data.shape[3])
    notes: list[str] = []
    labels = _on_grid(_named(subject, where, ("dce_segmentation", "segmentation")), image, notes, "segmentation")
    inside = np.ones(labels.shape, bool)
    if "mask" in subject.images:
        inside = _on_grid(read_image(subject.images["mask"].file, dimensions=3), image, notes, "mask") > 0
    haematocrit = subject.number("haematocrit")
    if not np.isfinite(haematocrit):
        haematocrit = HAEMATOCRIT if sidecar.haematocrit is None else sidecar.haematocrit
        notes += [] if sidecar.haematocrit is not None else [f"haematocrit is not known: {HAEMATOCRIT:g} was taken"]
    return DCECase(
        subject=subject, series=Series(image.data, sidecar.protocol, image.affine), t10=_t10(subject, image, notes),
        inside=inside, labels=labels, haematocrit=haematocrit, notes=notes,
    )  # fmt: skip


def _named(subject: Subject, where: str, columns: tuple[str, ...]) -> Image:
    """The first of these that the row has."""
    for column in columns:
        if column in subject.images:
            return read_image(subject.images[column].file, dimensions=3)
    raise InputError(where, columns[0], "names no image", "give the tumour's labels (1 core, 2 oedema, 4 solid)")


def _on_grid(image: Image, series: Image, notes: list[str], what: str) -> np.ndarray:
    """Whole numbers on the grid of the series; another grid's nearest voxels."""
    shape = series.data.shape[:3]
    if image.data.shape == shape and same_place(image.affine, series.affine):
        return np.rint(image.data).astype(int)
    notes.append(f"{what} was resampled to the grid of the series")
    values = np.rint(image.data).astype(int)
    found, best = np.zeros(shape, int), np.full(shape, 0.5)
    for label in np.unique(values[values > 0]):  # by the share of each label: numbers of labels are not averaged
        share = resampled((values == label).astype(float), image.affine, shape, series.affine, outside=0.0)
        found = np.where(share >= best, label, found)
        best = np.maximum(best, share)
    return found


def _t10(subject: Subject, image: Image, notes: list[str]) -> Any:
    """Flip angles before a map, a map before a number."""
    if "vfa" in subject.images:
        file = subject.images["vfa"].file
        vfa = read_image(file, dimensions=4)
        if vfa.data.shape[:3] != image.data.shape[:3] or not same_place(vfa.affine, image.affine):
            raise InputError(file, "", f"lies on another grid than {image.path}", "resample it to the series")
        angles, repetition_time = read_vfa_sidecars([file], volumes=[vfa.data.shape[3]])
        return VFA(vfa.data, angles, repetition_time)
    if "t10" in subject.images:
        t10 = read_image(subject.images["t10"].file, dimensions=3)
        if t10.data.shape == image.data.shape[:3] and same_place(t10.affine, image.affine):
            return t10.data
        notes.append("T10 was resampled to the grid of the series")
        return resampled(t10.data, t10.affine, image.data.shape[:3], image.affine, outside=float(np.median(t10.data)))
    number = subject.number("t10")
    if not np.isfinite(number):
        cure = "give a column vfa or t10 (images, or seconds)"
        raise InputError(f"cohort: {subject.id}", "t10", "is not known", cure)
    return number
