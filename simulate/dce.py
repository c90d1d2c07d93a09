r"""From a phantom to a DCE-MRI series with its complete truth: vessels, flow, transport, signal, noise.

    phantom --vascularise--> bed --transport--> concentration --SPGR--> signal --voxels, noise--> series

The vessels that can be resolved take their share of every cell; what is left is capillary-tissue units, and
the flow that those ask for is what the vessels carry. So mass closes and the truth of a cell is what was drawn.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Key

from simulate.base.errors import InputError
from simulate.base.types import DCEProtocol, Maps, Series, Tissue
from simulate.base.units import to_clinical
from simulate.flow.trees import solve_flow
from simulate.phantom.tumour import Phantom
from simulate.relaxation import blood_t1
from simulate.signal import add_noise, spgr_signal
from simulate.transport.bed import Bed, make_bed
from simulate.transport.engine import Ledger, cell_concentration, transport
from simulate.transport.pieces import average_cells, lay_out_vessels
from simulate.transport.readout import FREQUENCIES, readout
from simulate.transport.streaming import plasma_motion
from simulate.vessels.domain import Domain
from simulate.vessels.network import Vessels, grow_vessels, make_irregular, with_flow

PROTON_DENSITY = 1000.0  # S0 of tissue and blood [signal]


@dataclass(frozen=True)
class PerfusedPhantom:
    """A phantom with vessels: what transport needs, and what it displaced.

    bed : vessels, flow, capillary-tissue units.      tissue : parameters (*space) beside the vessels.
    blood : (*space) share of each cell that resolved vessels take.      t10 : (*space) of both together [s].
    haematocrit, t1_blood : of the blood that enters, its T1 before contrast [s].
    """

    phantom: Phantom
    bed: Bed
    tissue: Tissue
    blood: Any
    t10: Any
    haematocrit: float
    t1_blood: float


@dataclass(frozen=True)
class Simulation:
    """A simulated examination.

    series : the noisy signal on voxels.      concentration : (*voxels, t) behind it, noise-free [mmol/L].
    truth : maps on voxels in clinical units (see `truth_maps`), of the physical model `model`.
    ledger : where the tracer is in every frame.
    aif, aif_times : (k,) plasma concentration at the block's inlet [mmol/L], linear between its knots [s].
    """

    series: Series
    concentration: Any
    truth: Maps
    ledger: Ledger
    perfused: PerfusedPhantom
    aif: Any
    aif_times: Any

    @property
    def model(self) -> str:
        return self.perfused.phantom.model

    @property
    def aif_blood(self) -> Any:
        """(k,) concentration of the input in whole blood [mmol/L]: contrast stays out of the red cells."""
        return (1 - self.perfused.haematocrit) * self.aif


def vascularise(
    key: Key[Array, ""],
    phantom: Phantom,
    *,
    terminals: int = 5000,
    haematocrit: float = 0.42,
    field_strength: float = 3.0,
) -> PerfusedPhantom:
    """Grow vessels that supply the phantom and solve their flow.

    haematocrit : of the blood that enters.      field_strength : [T], for the T1 of blood.
    Raises InputError as `grow_vessels` does.
    """
    grow, bend = jax.random.split(key)
    domain = Domain(np.asarray(phantom.tissue.Fp, float), phantom.cell)
    vessels = grow_vessels(grow, domain, terminals=terminals, haematocrit=haematocrit)
    vessels = make_irregular(bend, vessels, phantom.irregularity)
    shape = domain.demand.shape
    pieces, blood = lay_out_vessels((vessels.arteries, vessels.veins), shape, phantom.cell)
    tissue = Tissue(*(np.asarray(getattr(phantom.tissue, n), float) * (1 - blood) for n in ("Fp", "PS", "vp", "ve")))
    vessels = with_flow(vessels, Domain(tissue.Fp, phantom.cell))
    flow = solve_flow(vessels, haematocrit=haematocrit)
    ends = _cells_of(vessels, shape)
    bed = make_bed(
        vessels, flow, tissue, pieces=pieces, mixing=phantom.mixing,
        feed_delay=np.asarray(phantom.feed_delay)[ends], feed_dispersion=np.asarray(phantom.feed_dispersion)[ends],
    )  # fmt: skip
    t1_blood = blood_t1(field_strength, haematocrit)
    rate = (1 - blood) / np.maximum(phantom.t10, 1e-3) + blood / t1_blood
    return PerfusedPhantom(phantom, bed, tissue, blood, 1 / rate, haematocrit, t1_blood)


def _cells_of(vessels: Vessels, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Index of the cell in which every arterial terminal lies."""
    ends = vessels.arteries.position[vessels.arteries.terminals]
    return tuple(np.clip(ends / np.asarray(vessels.cell), 0, np.asarray(shape) - 1).astype(int).T)


def simulate_dce(
    key: Key[Array, ""],
    phantom: Phantom | PerfusedPhantom,
    protocol: DCEProtocol,
    aif: Float[ArrayLike, " k"],
    *,
    aif_times: Float[ArrayLike, " k"] | None = None,
    snr: float = 50.0,
    terminals: int = 5000,
    haematocrit: float = 0.42,
    coarsen: int = 1,
    frequencies: int = FREQUENCIES,
) -> Simulation:
    """Simulate a noisy DCE-MRI series of a phantom, with its truth.

    Parameters
    ----------
    key : random key of vessels and noise.
    phantom : from `tumour_phantom`, or from `vascularise` where its vessels shall be used again.
    aif : (k,) PLASMA concentration [mmol/L] at the block's inlet; aif_times : (k,) [s], the frames by default.
    snr : baseline signal over the noise of one complex channel.
    terminals, haematocrit : see `vascularise`.
    coarsen : cells along the edge of a voxel; signals are averaged over its cells.
    frequencies : see `readout`.

    Raises
    ------
    InputError where the grid is no multiple of `coarsen`, and as `vascularise` does.
    """
    grow, noise = jax.random.split(key)
    perfused = phantom
    if isinstance(phantom, Phantom):
        perfused = vascularise(
            grow, phantom, terminals=terminals, haematocrit=haematocrit, field_strength=float(protocol.field_strength)
        )
    assert isinstance(perfused, PerfusedPhantom)
    shape = perfused.blood.shape
    if any(n % coarsen for n in shape):
        raise InputError("simulate_dce", "coarsen", f"{coarsen} does not divide {shape}", "give a common divisor")
    knots = protocol.times if aif_times is None else aif_times
    out = readout(aif, knots, protocol.times, float(protocol.frame_duration), frequencies=frequencies)
    contents, ledger = transport(perfused.bed, out)
    cells = cell_concentration(perfused.bed, contents).reshape(*shape, -1)
    concentration, signal = _measure(cells, jnp.asarray(perfused.t10), protocol, coarsen)
    affine = np.diag([*(coarsen * np.asarray(perfused.phantom.cell)), 1.0])
    series = add_noise(noise, Series(signal, protocol, affine), snr=snr)
    truth = truth_maps(perfused, coarsen=coarsen)
    return Simulation(series, concentration, truth, ledger, perfused, np.asarray(aif), np.asarray(knots))


@partial(jax.jit, static_argnames="coarsen")
def _measure(cells: Array, t10: Array, protocol: DCEProtocol, coarsen: int) -> tuple[Array, Array]:
    """Concentration and signal of voxels: means over their cells."""
    signal = spgr_signal(cells, protocol, t10=t10, s0=PROTON_DENSITY)
    return average_cells(cells, coarsen), average_cells(signal, coarsen)


def truth_maps(perfused: PerfusedPhantom, *, coarsen: int = 1) -> Maps:
    """Ground truth on voxels, in clinical units; every kind of flow has its own name.

    Fp : delivered plasma flow, that of the capillaries in the voxel.      through_flow : half the plasma flow
    across the voxel's faces in resolved vessels, over its volume; it depends on the voxel's size.
    speed, velocity_x.._z : mean speed and mean velocity of all plasma in the voxel [mm/s].
    vp : plasma of the capillary units.      vp_vessels : plasma of resolved vessels.      vp_total : both.
    PS, ve, Ktrans (of the unit's own model).      delay : mean time from the inlet to the capillaries [s].
    dispersion : mean of the exponential spread on the way [s].      Those two are weighted by Fp; NaN without flow.
    T10, T10_tissue : T1 before contrast of the whole voxel and of the tissue beside resolved vessels [s].
    """
    phantom, bed, tissue = perfused.phantom, perfused.bed, perfused.tissue
    shape = perfused.blood.shape
    motion = plasma_motion(bed, coarsen)
    Ktrans = np.where(tissue.Fp > 0, _transfer_constant(tissue, phantom.mixing), 0.0)
    arrival = np.asarray(motion.arrival)[bed.owner] + np.asarray(bed.local_delay)
    spread = np.asarray(bed.feed_dispersion)[bed.owner]
    flow = average_cells(tissue.Fp, coarsen)

    def by_flow(values: Any) -> Any:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(flow > 0, average_cells(tissue.Fp * np.reshape(values, shape), coarsen) / flow, np.nan)

    vp = average_cells(tissue.vp, coarsen)
    values = {
        "Fp": flow,
        "PS": average_cells(tissue.PS, coarsen),
        "vp": vp,
        "ve": average_cells(tissue.ve, coarsen),
        "Ktrans": average_cells(Ktrans, coarsen),
        "vp_vessels": motion.plasma,
        "vp_total": vp + motion.plasma,
        "delay": by_flow(arrival),
        "dispersion": by_flow(spread),
        "T10": 1 / average_cells(1 / perfused.t10, coarsen),
        "T10_tissue": tissue_t1(perfused, coarsen),
        "through_flow": motion.through_flow,
        "speed": motion.speed,
        **{f"velocity_{axis}": motion.velocity[..., i] for i, axis in enumerate("xyz")},
    }
    affine = np.diag([*(coarsen * np.asarray(phantom.cell)), 1.0])
    return Maps({name: to_clinical(name, np.asarray(value)) for name, value in values.items()}, affine)


def tissue_t1(perfused: PerfusedPhantom, coarsen: int = 1) -> Any:
    """(*voxels) T1 [s] of what resolved vessels leave of a voxel: rates add up by volume."""
    tissue = 1 - perfused.blood
    rate = average_cells(tissue / np.maximum(perfused.phantom.t10, 1e-3), coarsen)
    return average_cells(tissue, coarsen) / rate


def _transfer_constant(tissue: Tissue, mixing: float) -> Any:
    """Ktrans of N tanks: Fp times the extraction 1-(1+PS/(N Fp))^-N; Renkin and Crone's for plug flow."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.nan_to_num(tissue.PS / tissue.Fp)
    if mixing == 0:
        return -tissue.Fp * np.expm1(-ratio)
    return -tissue.Fp * np.expm1(-np.log1p(mixing * ratio) / mixing)


def with_concentration(simulation: Simulation) -> Series:
    """The noise-free concentration as a series."""
    return replace(simulation.series, data=simulation.concentration, quantity="concentration")
