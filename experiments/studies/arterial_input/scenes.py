"""Scenes in which an arterial input is looked for, and the input that truly was there.

Each patient is a tumour phantom with the vessels of its own block (`simulate_dce`), seen three times with fresh
measurement errors:

    tree    as it comes: vessels of the block alone, mostly thinner than a voxel
    wide    with an artery of 2 to 5 voxels through the block, or in slices beside it
    thin    with a vessel of 0.8 to 1.9 voxels through the block

Every fourth scene has a wide vein as well. What a scanner and a user do not know is drawn for every scene: the T1 of
its blood (6 % about the formula's), the transmit field (T1 from flip angles goes with its square, and the series is
converted with the nominal angle), T10's error common to the scan and that of each voxel. Ranges are chosen.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from estimate.signal.baseline import detect_baseline
from estimate.signal.concentration import block_concentration
from experiments.studies.arterial_input.vessels import random_vessel
from simulate.base.constants import HAEMATOCRIT, blood_t1
from simulate.base.errors import InputError
from simulate.base.types import DCEProtocol
from simulate.examinations.dce import simulate_dce
from simulate.inputs.arterial_input import ArterialInput
from simulate.inputs.random import draw_inlet
from simulate.inputs.transit import delayed, disperse, plasma_to_blood
from simulate.phantoms.tumour import tumour_phantom
from simulate.scanner.frames import frame_average
from simulate.scanner.measurement import PROTON_DENSITY, measure
from simulate.scanner.voxels import voxel_average

KINDS = ("tree", "wide", "thin")
AREA = 70.0
"""Seconds from the arrival over which areas are compared."""

BLOOD_T1_SPREAD = 0.06
B1_SPREAD, COMMON_T10_SPREAD, VOXEL_T10_SPREAD = 0.04, 0.05, (0.05, 0.1)
"""Standard deviations of logarithms: of the transmit field, and of T10 over the scan and from voxel to voxel. Together
T10 is wrong by 11 to 14 %, as measured of variable flip angles; most of it is common to the scan."""

FINE, STEP = 200, 1.2
"""Frames that are simulated, and their duration [s]: a series lasts four minutes."""

JOINED = (1, 2, 3, 4, 5)
"""Simulated frames to a measured one: 1.2 to 6 s."""

SIDES = ((24, 1), (20, 1), (20, 1), (28, 2))
"""Cells along an edge of the block, and along that of a voxel."""

TERMINALS = 3000

EARLY, LATE, LATE_SHARE = (12.0, 40.0), (50.0, 76.0), 0.15
"""Onset [s] of injections, of late ones, and how many are late. At least four frames come before."""

VOXELS = (1.0, 1.5, 2.0, 3.0, 4.0)
"""Edge [mm]."""

WIDE, THIN, VEIN = (2.0, 5.0), (0.8, 1.9), (2.0, 6.0)
"""Diameters [voxels]."""

VEIN_SHARE = 0.25
BESIDE = 5
"""Slices beside the block that an artery may run in."""

STILL_T10 = 1.2
"""T10 [s] of what surrounds it there."""

SNR = (10.0, 100.0)
KNOT_STEP = 0.25
LOWEST = 0.25
"""mmol/L that a voxel must reach to be kept: the finder looks at nothing below."""


class Patient(NamedTuple):
    """What all scenes of a phantom share. cells : (*space, `FINE`) noise-free concentration [mmol/L].
    t10, blood : (*space) of the tissue [s], and share of the block's own vessels.      aif : the input.
    coarsen, voxel : cells along the edge of a voxel, and that edge [mm]."""

    seed: int
    cells: np.ndarray
    t10: np.ndarray
    blood: np.ndarray
    aif: ArterialInput
    onset: float
    coarsen: int
    voxel: float
    grade: int


@dataclass(frozen=True)
class Scene:
    """What a finder is given: of the voxels that reach `LOWEST`, in the order of `where` (*space); and the truth.

    signal, concentration : (v, t).      t10 : (v,) as measured.      protocol : its baseline found in the images, 0
    where that failed.      blood_t10 : what the user believes blood's to be [s].
    plasma : (t,) the true input averaged over the frames.      area, peak, half_time : of it (area over `AREA`).
    about : what the scene is (kind, seed, diameter, voxel, snr, ...).
    """

    signal: np.ndarray
    concentration: np.ndarray
    t10: np.ndarray
    where: np.ndarray
    protocol: DCEProtocol
    plasma: np.ndarray
    onset: float
    area: float
    about: dict[str, Any]

    @property
    def times(self) -> np.ndarray:
        return np.asarray(self.protocol.frame_centres, float)


def draw_patient(seed: int) -> Patient:
    """Phantom, input and protocol number `seed`; the same every time."""
    rng = np.random.default_rng([7, seed])
    key = jax.random.key(seed)
    onset = float(rng.uniform(*LATE) if rng.random() < LATE_SHARE else rng.uniform(*EARLY))
    knots = np.arange(0.0, FINE * STEP + 1.0, KNOT_STEP)
    drawn = draw_inlet(jax.random.fold_in(key, 1), jnp.asarray(knots))
    aif = ArterialInput(knots, np.interp(knots - onset, knots, np.asarray(drawn), left=0.0), "truth")
    side, coarsen = SIDES[rng.integers(len(SIDES))]
    voxel, grade = float(rng.choice(VOXELS)), int(rng.choice([2, 3, 4]))
    edge = voxel / coarsen
    phantom = tumour_phantom(
        jax.random.fold_in(key, 2), shape=(side, side, side), cell=(edge, edge, edge), grade=grade,
        mixing=float(rng.choice([1.0, 0.25, 0.0])),
    )  # fmt: skip
    made = _simulated(key, phantom, aif)
    cells, blood = np.asarray(made.concentration), np.asarray(made.perfused.blood)
    return Patient(seed, cells, np.asarray(phantom.t10), blood, aif, onset, coarsen, voxel, grade)


def _simulated(key: Any, phantom: Any, aif: ArterialInput) -> Any:
    """With fewer vessels where a branch is too narrow for blood."""
    fine = DCEProtocol(STEP * np.arange(FINE), 0.005, 20.0, baseline=1, frame_duration=STEP)
    curve, knots = jnp.asarray(aif.curve), jnp.asarray(aif.times)
    for attempt in range(5):
        with suppress(InputError):
            return simulate_dce(
                jax.random.fold_in(key, 3 + attempt), phantom, fine, curve, aif_times=knots,
                terminals=TERMINALS >> attempt, haematocrit=HAEMATOCRIT,
            )  # fmt: skip
    raise RuntimeError("five sets of vessels have a branch too narrow for blood")


def make_scene(patient: Patient, kind: str) -> Scene:
    """One look at a patient."""
    rng = np.random.default_rng([11, patient.seed, KINDS.index(kind)])
    joined = int(rng.choice([n for n in JOINED if 4 * n * STEP <= patient.onset]))
    spacing, frames = joined * STEP, FINE // joined
    about: dict[str, Any] = {
        "seed": patient.seed, "kind": kind, "voxel": patient.voxel, "coarsen": patient.coarsen, "grade": patient.grade,
        "spacing": spacing, "onset": patient.onset, "snr": float(np.exp(rng.uniform(*np.log(SNR)))),
    }  # fmt: skip
    protocol = DCEProtocol(
        spacing * np.arange(frames), float(rng.uniform(0.003, 0.006)), float(rng.uniform(12, 30)),
        frame_duration=spacing, baseline=0,
    )  # fmt: skip
    cells = patient.cells[..., : frames * joined].reshape(*patient.cells.shape[:3], frames, joined).mean(axis=-1)
    t10, blood = 1 / patient.t10, patient.blood
    beside = kind == "wide" and rng.random() < 0.5
    if beside:
        more = BESIDE * patient.coarsen
        cells = np.pad(cells, ((0, 0), (0, 0), (0, more), (0, 0)))
        t10 = np.pad(t10, ((0, 0), (0, 0), (0, more)), constant_values=1 / STILL_T10)
        blood = np.pad(blood, ((0, 0), (0, 0), (0, more)))
    t1_blood = blood_t1(3.0, HAEMATOCRIT) * np.exp(BLOOD_T1_SPREAD * rng.normal())
    rate = (1 - blood) * t10 + blood / t1_blood
    painted = []
    if rng.random() < VEIN_SHARE:
        painted.append((rng.uniform(*VEIN), rng.uniform(4.0, 9.0), rng.uniform(2.0, 5.0), False))
    if kind != "tree":
        about["diameter"] = diameter = float(rng.uniform(*(WIDE if kind == "wide" else THIN)))
        painted.append((diameter, 0.0, 0.0, beside))
    for diameter, delay, dispersion, outside in painted:
        slices = BESIDE * patient.coarsen if outside else cells.shape[2]
        share = random_vessel(rng, cells.shape[:3], diameter * patient.coarsen, slices)
        knots = jnp.asarray(patient.aif.times)
        curve = delayed(disperse(jnp.asarray(patient.aif.curve), knots, time_constant=dispersion), knots, delay)
        seen = np.asarray(plasma_to_blood(_average(curve, knots, protocol), HAEMATOCRIT))
        cells = cells * (1 - share)[..., None] + share[..., None] * seen
        rate = rate * (1 - share) + share / t1_blood
    about["beside"], about["vein"] = beside, len(painted) > (kind != "tree")
    return _measured(rng, patient, protocol, cells, 1 / rate, about)


_average = jax.jit(frame_average)


def _measured(
    rng: np.random.Generator, patient: Patient, protocol: DCEProtocol, cells: np.ndarray, t10: np.ndarray,
    about: dict[str, Any],
) -> Scene:  # fmt: skip
    """Signal with noise on voxels, what the user makes of it, and the voxels worth keeping."""
    b1 = float(np.exp(B1_SPREAD * rng.normal()))
    key = jax.random.key(int(rng.integers(2**31)))
    data = np.asarray(
        measure(
            key, cells, protocol, t10=t10, s0=PROTON_DENSITY, b1=b1, coarsen=patient.coarsen, snr=about["snr"]
        )
    )  # fmt: skip
    true_t10 = 1 / np.asarray(voxel_average(1 / t10, patient.coarsen))
    spread = rng.uniform(*VOXEL_T10_SPREAD)
    wrong = b1**2 * np.exp(COMMON_T10_SPREAD * rng.normal() + spread * rng.normal(size=true_t10.shape))
    believed = (true_t10 * wrong).astype(np.float32)
    with suppress(InputError):
        protocol = replace(protocol, baseline=detect_baseline(data))
    concentration = np.zeros_like(data)
    if protocol.baseline:
        concentration = np.asarray(block_concentration(data, protocol, t10=believed)[0])
    where = np.max(concentration, axis=-1) > LOWEST
    aif = patient.aif
    plasma = np.asarray(_average(jnp.asarray(aif.curve), jnp.asarray(aif.times), protocol))
    return Scene(
        data[where], concentration[where], believed[where], where, protocol, plasma, patient.onset,
        area_from(np.asarray(aif.times), np.asarray(aif.curve), patient.onset), about,
    )  # fmt: skip


def area_from(times: np.ndarray, curve: np.ndarray, onset: float) -> float:
    """Area [mmol/L s] over `AREA` after the onset, of a curve that is linear between its times."""
    times, curve = np.asarray(times, float), np.asarray(curve, float)
    inside = times[(times > onset) & (times < onset + AREA)]
    knots = np.concatenate([[onset], inside, [onset + AREA]])
    return float(np.trapezoid(np.interp(knots, times, curve), knots))
