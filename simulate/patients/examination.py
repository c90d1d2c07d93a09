"""All that is measured of a patient at one visit, from one tissue and one blood flow: DCE with its flip angles, ASL and
structural images."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from simulate.base.constants import asl_blood_t1
from simulate.base.types import DCEProtocol, Maps
from simulate.examinations.asl import ASLSimulation, simulate_asl
from simulate.examinations.truth import true_values
from simulate.inputs.arterial_input import ArterialInput
from simulate.inputs.transit import plasma_to_blood
from simulate.labelling.series import asl_protocol
from simulate.patients.brain import brain
from simulate.patients.images import AFTER, structural_images
from simulate.patients.inlet import patient_input
from simulate.patients.lesion import lesion
from simulate.patients.person import Person
from simulate.patients.slab import Slab, slab_of
from simulate.patients.tissue import patient_tissue
from simulate.scanner.frames import frame_average
from simulate.scanner.measurement import PROTON_DENSITY
from simulate.scanner.noise import rician
from simulate.scanner.spgr import baseline_signal, spgr_signal
from simulate.spectral.engine import cell_concentration, transport
from simulate.spectral.readout import readout

ANGLES = (2.0, 8.0, 20.0)
"""Flip angles of the images that T1 is measured by [degrees]."""

TRUTHS = ("Fp", "PS", "vp", "ve", "Ktrans", "delay", "T10", "vp_vessels")
"""Kept of the slab, see `simulate.examinations.truth`."""

ASL_COARSEN = 2
"""Cells along a voxel of the labelled images, which are coarser."""


class Visit(NamedTuple):
    """What a visit consists of.

    Attributes
    ----------
    cell : float [mm]
        Edge of all cells.
    slab : (3,) tuple of int
        Cells of the slab that is perfused vessel by vessel.
    terminals : int
        Of each of its two trees.
    frames : int
        Of the DCE series.
    spacing : float [s]
        Between them.
    delays : tuple of float [s]
        Post-label delays.
    pairs : int
        Of control and label at each.
    sigma : float
        Noise of a labelled volume over M0.
    frequencies : int
        Of both tracers, see `simulate.spectral.readout.readout`; an error of 1e-3 of the label's peak lies far below
        its noise.
    """

    cell: float = 2.0
    slab: tuple[int, int, int] = (32, 32, 24)
    terminals: int = 5000
    frames: int = 90
    spacing: float = 3.0
    delays: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
    pairs: int = 8
    sigma: float = 0.002
    frequencies: int = 512


class Examination(NamedTuple):
    """images : by name (x, y, z), whole brain.      region (x, y, z), affine (4, 4) : of them.
    dce (x, y, z, t), vfa (x, y, z, 3) : signal on the slab.      protocol : of the series.
    slab : what was measured.      truth : on the slab, clinical units.      aif : plasma at the slab's inlet.
    asl : the labelled examination.
    """

    images: dict[str, Any]
    region: Any
    affine: Any
    dce: Any
    vfa: Any
    protocol: DCEProtocol
    slab: Slab
    truth: Maps
    aif: ArterialInput
    asl: ASLSimulation


USUAL_VISIT = Visit()


def examine_patient(person: Person, visit: Visit = USUAL_VISIT) -> Examination:
    """Simulate a visit of this person.

    Parameters
    ----------
    person : Person
        From `draw_person`.
    visit : Visit
        What is measured, and how finely.

    Returns
    -------
    Examination
        The same every time.

    Raises
    ------
    InputError
        For a tumour, a grid or a slab that do not fit each other.
    """
    anatomy = brain(person.rng("brain"), cell=visit.cell, age=person.age)
    tumour = lesion(anatomy, person)
    body = patient_tissue(person, anatomy, tumour)
    aif = patient_input(person, max(visit.frames * visit.spacing, AFTER + 30.0))
    slab = slab_of(person, body, visit.slab, terminals=visit.terminals)
    protocol = dce_protocol(visit, aif)
    dce, vfa = _dce(person, visit, slab, protocol, aif)
    values = true_values(slab.perfused)
    truth = Maps.from_internal({name: values[name] for name in TRUTHS}, slab.affine)
    return Examination(
        images=structural_images(person, body, aif), region=body.region, affine=body.affine, dce=dce, vfa=vfa,
        protocol=protocol, slab=slab, truth=truth, aif=aif, asl=_asl(person, visit, slab),
    )  # fmt: skip


def dce_protocol(visit: Visit, aif: ArterialInput) -> DCEProtocol:
    """Spoiled gradient echo whose baseline ends before contrast arrives."""
    arrival = float(aif.times[np.argmax(np.asarray(aif.curve) > 0)])
    return DCEProtocol(
        times=visit.spacing * np.arange(visit.frames), repetition_time=0.004, flip_angle=ANGLES[-1],
        echo_time=0.0015, baseline=int(arrival // visit.spacing), frame_duration=visit.spacing,
    )  # fmt: skip


def _dce(
    person: Person, visit: Visit, slab: Slab, protocol: DCEProtocol, aif: ArterialInput
) -> tuple[np.ndarray, np.ndarray]:
    """Series and images of several flip angles, with one noise."""
    perfused, shape = slab.perfused, slab.region.shape
    out = readout(aif.curve, aif.times, protocol.times, visit.spacing, frequencies=visit.frequencies)
    contents, _ = transport(perfused.bed, out)
    tissue = cell_concentration(perfused.bed, contents).reshape(*shape, -1)
    blood = plasma_to_blood(frame_average(aif.curve, aif.times, protocol), person.haematocrit)
    there = np.asarray(slab.region) > 0

    def signal(sequence: DCEProtocol, in_tissue: Any, in_blood: Any) -> Any:
        """Of both in every voxel: what each contributes is its share."""
        own = spgr_signal(in_tissue, sequence, t10=np.maximum(perfused.t10, 1e-3), s0=PROTON_DENSITY)
        arterial = spgr_signal(in_blood, sequence, t10=perfused.t1_blood, s0=PROTON_DENSITY)
        share = jnp.asarray(slab.artery)[..., None]
        return jnp.where(jnp.asarray(there)[..., None], (1 - share) * own + share * arterial, 0.0)

    clean = signal(protocol, tissue, blood)
    before = baseline_signal(clean, protocol)
    sigma = float(jnp.mean(before[jnp.asarray(there)])) / person.scanner.snr
    key, other = jax.random.split(jax.random.key(int(person.rng("noise").integers(2**31))))
    none = jnp.zeros((*shape, 1)), jnp.zeros(1)
    angles = [
        signal(_one_image(protocol, angle), *none) for angle in ANGLES
    ]  # fmt: skip
    flips = jnp.concatenate(angles, axis=-1)
    return np.asarray(rician(key, clean, sigma)), np.asarray(rician(other, flips, sigma / np.sqrt(FLIP_AVERAGES)))


FLIP_AVERAGES = 8
"""Averages of the images that T1 is measured by, which take minutes; chosen."""


def _one_image(protocol: DCEProtocol, angle: float) -> DCEProtocol:
    return DCEProtocol(
        times=np.zeros(1), repetition_time=protocol.repetition_time, flip_angle=angle, echo_time=protocol.echo_time
    )  # fmt: skip


def _asl(person: Person, visit: Visit, slab: Slab) -> ASLSimulation:
    key = jax.random.key(int(person.rng("labelling").integers(2**31)))
    protocol = asl_protocol(visit.delays, pairs=visit.pairs, t1_blood=asl_blood_t1(3.0))
    return simulate_asl(
        key, slab.perfused, protocol, sigma=visit.sigma, coarsen=ASL_COARSEN, frequencies=visit.frequencies
    )
