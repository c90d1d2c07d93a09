"""Examinations for the comparison: one phantom of a test bank, one input, one protocol, one condition."""

from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from estimate.qtmnet.contrast.domain import Acquisition
from estimate.qtmnet.learning.contrast import FRAMES, Scan, acquire, draw_scan
from estimate.qtmnet.learning.stream import Voxels
from experiments.studies.regions import GREY_MATTER, REGIONS, RIM, WHITE_MATTER
from simulate.banks.contrast import KNOTS, SPACING, TRUTHS, frame_matrix, inlet_curve, spline
from simulate.banks.phantoms import Bank
from simulate.base.constants import HAEMATOCRIT, blood_t1
from simulate.base.types import Tissue
from simulate.base.units import from_clinical
from simulate.inputs.arterial_input import ArterialInput
from simulate.inputs.random import ANY_INLET, draw_inlet, unseen_inlet, window_area
from simulate.inputs.transit import delayed, disperse, plasma_to_blood
from simulate.phantoms.priors import Region

ARTERY_SLICES, ARTERY_DIAMETER = 4, 3.2
"""Slices beside the block through which an artery runs, for an automatic picker to find; its width in voxels.

A block of a few centimetres has no artery of its own that fills a voxel; a scan of a head has."""

BLOOD_T10, STATIC_T10 = blood_t1(3.0, HAEMATOCRIT), 1.2

KNOT_STEP = 0.5
"""s between the knots of the input that rivals are given."""

LEAKY = from_clinical("PS", 1.0)
"""PS above which a rim's PS and ve leave a trace that can be scored."""

SCORED = {RIM: 160, GREY_MATTER: 48, WHITE_MATTER: 48}
"""Voxels of each region that are scored, at most."""

TUMOUR = (int(Region.RIM), int(Region.CORE))
"""Regions of a mask of the tumour."""


USUAL = "as in training"
TISSUES: dict[str, dict[str, Any]] = {
    USUAL: {},
    "priors 1.5 x wider": {"width": 1.5},
    "T10 x 1.3": {"t10": 1.3},
    "grade 3 only": {"grade": 3},
}
"""What phantoms are made of: options of `BankConfig`. All but the first need phantoms of their own."""


class Condition(NamedTuple):
    """What an examination is like; the defaults are the base of all sweeps.

    spacing, duration : of the frames [s], and of all together.      snr : range, log-uniform; signal before contrast
    over sigma of one channel.      amplitude : range of the input's area over the population's.
    delay, dispersion : of the input between where rivals measure it and the block [s].
    t10_error : of each voxel, standard deviation of its logarithm.      b1 : true over nominal flip angle.
    shift : voxels by which everything moves after half of the frames.      family : of the input, "seen" in training
    or "unseen".      cell : edge of the voxels [mm], 0 for any.
    scale : factor on everything that is measured, as of a wrong relaxivity; the area that is known stays.
    view : what a network is shown, the "block" or the "tumour" alone, as under a mask of it.
    tissue : of the phantoms, a key of `TISSUES`.
    """

    spacing: float = 2.0
    duration: float = 240.0
    snr: tuple[float, float] = (20.0, 100.0)
    amplitude: tuple[float, float] = ANY_INLET.amplitude
    delay: float = 0.0
    dispersion: float = 0.0
    t10_error: float = 0.0
    b1: float = 1.0
    shift: int = 0
    family: str = "seen"
    cell: float = 0.0
    scale: float = 1.0
    view: str = "block"
    tissue: str = USUAL

    @property
    def frames(self) -> int:
        """Never more than an examination has room for: 240 s at 1.5 s are 225 s."""
        return min(round(self.duration / self.spacing), FRAMES)


class Examination(NamedTuple):
    """What estimators get, and what they are scored against.

    curves : (v, t) [mmol/L] of a block.      artery : (side, side, `ARTERY_SLICES`, t) beside it.
    start, spacing : of the frames [s].      aif : what rivals know of the input.
    onset, area : of the input in the block [s], [mmol/L s].      side : voxels along an edge; v = side^3.
    view : (w,) voxels that a network is shown.      scored : (s,) voxels that are scored.
    region : (s,) of them, values of `Region`; 0 does not count, nor does what is not shown.
    truth : by name (s,), internal units.      local_aif_times, local_aif : (k,) [s], (s, k) their true
    local arterial inputs, plasma.
    """

    curves: np.ndarray
    artery: np.ndarray
    start: np.ndarray
    spacing: float
    aif: ArterialInput
    onset: float
    area: float
    side: int
    view: np.ndarray
    scored: np.ndarray
    region: np.ndarray
    truth: dict[str, np.ndarray]
    local_aif_times: np.ndarray
    local_aif: np.ndarray

    @property
    def centres(self) -> np.ndarray:
        return self.start + self.spacing / 2

    @property
    def tissue(self) -> Tissue:
        return Tissue(*(self.truth[name] for name in ("Fp", "PS", "vp", "ve")))


def key_of(seed: int, phantom: int, inlet: int) -> Key[Array, ""]:
    """The same input and noise for every generator and condition, so that only what is asked about differs."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed + 1), phantom), inlet)


def examine(key: Key[Array, ""], bank: Bank, index: int, condition: Condition) -> Examination:
    """Phantom `index` of the bank under a condition."""
    draw, noise, place = jax.random.split(key, 3)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(place)))
    scan, upstream = _drawer(condition)(draw)
    voxels = Voxels(*(jnp.asarray(a[index]) for a in (bank.shape, bank.peak, bank.truth, bank.region)))
    blood = _artery(rng, bank.side)
    measured = np.asarray(_measured(noise, voxels, jnp.asarray(blood.ravel()), scan, upstream))[:, : condition.frames]
    volume = condition.scale * measured.reshape(bank.side, bank.side, bank.side + ARTERY_SLICES, condition.frames)
    if condition.shift:
        volume = volume.copy()
        late = volume[..., condition.frames // 2 :]
        volume[..., condition.frames // 2 :] = np.roll(late, condition.shift, axis=0)
    truth = {name: np.asarray(bank.truth[index][:, i]) for i, name in enumerate(TRUTHS)}
    tissue = np.asarray(bank.region[index])
    scored, region = _choose(rng, tissue, truth)
    shown = np.isin(tissue, TUMOUR) | (condition.view == "block")
    region = np.where(shown[scored], region, 0)
    onset = float(scan.onset)
    since = np.arange(0.0, condition.duration + 2 * condition.spacing, KNOT_STEP)
    edges = jnp.asarray(since - KNOT_STEP / 2)
    local = _local_aif(jnp.asarray(bank.local_aif[index])[scored], scan.inlet, edges)
    return Examination(
        curves=volume[:, :, : bank.side].reshape(-1, condition.frames),
        artery=volume[:, :, bank.side :],
        start=np.asarray(scan.frames.start)[: condition.frames],
        spacing=condition.spacing,
        aif=ArterialInput(since + onset, np.asarray(inlet_curve(upstream, jnp.asarray(since))), "truth"),
        onset=onset,
        area=float(scan.area),
        side=bank.side,
        view=np.flatnonzero(shown),
        scored=scored,
        region=region,
        truth={name: values[scored] for name, values in truth.items()},
        local_aif_times=since[:-1] + onset,
        local_aif=np.asarray(local),
    )


def _choose(
    rng: np.random.Generator, region: np.ndarray, truth: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """(voxels, region): as many of each region as are scored, padded with voxels that do not count."""
    chosen, names = [], []
    for name, which in REGIONS.items():
        inside = (region == which) & (truth["Fp"] > 0)
        if which == Region.RIM:
            inside &= truth["PS"] > LEAKY
        found = np.flatnonzero(inside)
        found = rng.permutation(found)[: SCORED[name]]
        chosen.append(np.pad(found, (0, SCORED[name] - len(found)), constant_values=0))
        names.append(np.pad(np.full(len(found), int(which)), (0, SCORED[name] - len(found))))
    return np.concatenate(chosen), np.concatenate(names)


@jax.jit
def _local_aif(responses: Any, inlet: Any, edges: Any) -> Any:
    return responses.astype(jnp.float32) @ frame_matrix(inlet, edges)


@jax.jit
def _measured(key: Any, voxels: Voxels, blood: Any, scan: Scan, upstream: Any) -> Any:
    """Concentration (side * side * (side + slices), t) of the block and of the slices with the artery beside it."""
    plasma = spline(jnp.asarray(KNOTS, jnp.float32)) @ frame_matrix(upstream, scan.edges)
    artery = blood[:, None] * plasma_to_blood(plasma, HAEMATOCRIT)
    block = (voxels.shape.astype(jnp.float32) @ scan.matrix) * voxels.peak[:, None]
    t10 = 1 / (blood / BLOOD_T10 + (1 - blood) / STATIC_T10)
    side = round(block.shape[0] ** (1 / 3))

    def beside(a: Any, b: Any) -> Any:
        joined = jnp.concatenate([a.reshape(side, side, side, -1), b.reshape(side, side, ARTERY_SLICES, -1)], axis=2)
        return joined.reshape(-1, joined.shape[-1])

    clean = beside(block, artery)
    return acquire(key, clean, beside(voxels.truth[:, TRUTHS.index("T10")], t10)[:, 0], scan)


def _artery(rng: np.random.Generator, side: int) -> np.ndarray:
    """(side, side, slices) share of blood in every voxel, of a cylinder somewhere in the middle."""
    fine = (np.arange(8 * side) + 0.5) / 8
    centre = side / 2 + rng.uniform(-2, 2, 2)
    disc = (fine[:, None] - centre[0]) ** 2 + (fine - centre[1]) ** 2 < (ARTERY_DIAMETER / 2) ** 2
    share = disc.reshape(side, 8, side, 8).mean((1, 3))
    return np.repeat(share[:, :, None], ARTERY_SLICES, axis=2).astype(np.float32)


@lru_cache
def _drawer(condition: Condition) -> Any:
    """A compiled function of a key that draws the scan, whose input is what reaches the block, and the input upstream,
    where rivals measure it: vessels in between delay and disperse it."""
    ranges = Acquisition(
        spacing=(condition.spacing, condition.spacing), frames=(condition.frames, condition.frames), snr=condition.snr,
        flip_angle=(20.0, 20.0), repetition_time=(0.004, 0.004), t10_error=0.0, longest=1e9,
    )  # fmt: skip

    def inlet(key: Any, times: Any) -> Any:
        if condition.family == "unseen":
            return unseen_inlet(key, times, condition.amplitude)
        return draw_inlet(key, times, ANY_INLET._replace(amplitude=condition.amplitude))

    def draw(key: Any) -> tuple[Scan, Any]:
        scan = draw_scan(key, ranges, inlet)
        knots = SPACING * jnp.arange(scan.inlet.size)
        arriving = disperse(delayed(scan.inlet, knots, condition.delay), knots, time_constant=condition.dispersion)
        area = window_area(arriving, knots, arrival=condition.delay)
        t10_error, b1 = (jnp.asarray(a, jnp.float32) for a in (condition.t10_error, condition.b1))
        return scan._replace(inlet=arriving, area=area, t10_error=t10_error, b1=b1), scan.inlet

    return jax.jit(draw)
