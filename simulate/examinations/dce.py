r"""From a phantom to a DCE-MRI series with its complete truth: vessels, flow, transport, signal, noise.

    phantom --vascularise--> bed --transport--> concentration --SPGR--> signal --voxels, noise--> series

The vessels that can be resolved take their share of every cell; what is left is capillary-tissue units, and
the flow that those ask for is what the vessels carry. So mass closes and the truth of a cell is what was drawn.
"""

from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Key

from simulate.base.constants import HAEMATOCRIT
from simulate.base.errors import InputError
from simulate.base.types import DCEProtocol, Maps, Series
from simulate.examinations.perfused import PerfusedPhantom, vascularise
from simulate.examinations.truth import truth_maps
from simulate.inputs.arterial_input import ArterialInput
from simulate.phantoms.tumour import Phantom
from simulate.scanner.measurement import PROTON_DENSITY, measure
from simulate.scanner.voxels import voxel_average
from simulate.spectral.engine import Ledger, cell_concentration, transport
from simulate.spectral.readout import FREQUENCIES, readout


@dataclass(frozen=True)
class Simulation:
    """A simulated examination.

    Attributes
    ----------
    series : Series
        The noisy signal on voxels.
    concentration : (x, y, z, t) array [mmol/L]
        Behind it on voxels, noise-free.
    truth : Maps
        On voxels in clinical units (see `truth_maps`), of the physical model `model`.
    ledger : Ledger
        Where the tracer is in every frame.
    perfused : PerfusedPhantom
        What was measured.
    aif : ArterialInput
        The arterial input at the block's inlet.
    """

    series: Series
    concentration: Any
    truth: Maps
    ledger: Ledger
    perfused: PerfusedPhantom
    aif: ArterialInput

    @property
    def model(self) -> str:
        """Name of the physical model that made the truth."""
        return self.perfused.phantom.model


def simulate_dce(
    key: Key[Array, ""],
    phantom: Phantom | PerfusedPhantom,
    protocol: DCEProtocol,
    aif: Float[ArrayLike, " k"],
    *,
    aif_times: Float[ArrayLike, " k"] | None = None,
    snr: float = 50.0,
    terminals: int = 5000,
    haematocrit: float = HAEMATOCRIT,
    coarsen: int = 1,
    frequencies: int = FREQUENCIES,
) -> Simulation:
    """Simulate a noisy DCE-MRI series of a phantom, with its truth.

    Parameters
    ----------
    key : jax.random key
        Of vessels and noise.
    phantom : Phantom or PerfusedPhantom
        From `tumour_phantom`, or from `vascularise` where its vessels shall be used again.
    protocol : DCEProtocol
        How it is measured.
    aif : (k,) array [mmol/L]
        PLASMA concentration at the block's inlet.
    aif_times : (k,) array [s]
        Its knots; the frames by default.
    snr : float
        Baseline signal over the noise of one complex channel.
    terminals : int
        See `vascularise`.
    haematocrit : float [fraction]
        Likewise.
    coarsen : int
        Cells along the edge of a voxel; signals are averaged over its cells.
    frequencies : int
        See `readout`.

    Returns
    -------
    Simulation
        The series with all that is behind it.

    Raises
    ------
    InputError
        Where the grid is no multiple of `coarsen`, and as `vascularise` does.
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
    signal = measure(noise, cells, protocol, t10=perfused.t10, s0=PROTON_DENSITY, coarsen=coarsen, snr=snr)
    affine = np.diag([*(coarsen * np.asarray(perfused.phantom.cell)), 1.0])
    series, concentration = Series(signal, protocol, affine), voxel_average(cells, coarsen)
    truth = truth_maps(perfused, coarsen=coarsen)
    inlet = ArterialInput(np.asarray(knots), np.asarray(aif), "inlet of the simulated tissue")
    return Simulation(series, concentration, truth, ledger, perfused, inlet)


def with_concentration(simulation: Simulation) -> Series:
    """The noise-free concentration of a simulation as a series.

    Parameters
    ----------
    simulation : Simulation
        From `simulate_dce`.

    Returns
    -------
    Series
        Of concentrations [mmol/L].
    """
    return replace(simulation.series, data=simulation.concentration, quantity="concentration")
