"""The nouns that every floor shares: tissue, protocol, series, maps.

All are frozen dataclasses registered as PyTrees, so they pass through jit, vmap and grad unchanged.
Units are internal everywhere: s, mm, mmol/L, 1/s, fractions, degrees (BIDS); see `simulate.base.units`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jaxtyping import Real, Shaped

from simulate.base.constants import USUAL_RELAXIVITY
from simulate.base.exchange import efflux_constant, extraction, mean_transit_time, transfer_constant
from simulate.base.leaves import NoArray
from simulate.base.units import clinical_unit, to_clinical


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Tissue:
    """Perfusion parameters of tissue, named by the OSIPI CAPLEX.

    Every field has the same leading shape, or is one number (no longer so in a batch of both, as derivatives make it).
    Where a model has no such parameter, that of `simulate.base.exchange.LIMITS`.

    Attributes
    ----------
    Fp : float or (...) array [1/s]
        Plasma flow (mL plasma per mL tissue and second); inf where the model has none (etm, ...).
    PS : float or (...) array [1/s]
        Permeability-surface product; it is Ktrans where Fp is inf.
    vp : float or (...) array [fraction]
        Plasma volume; 0 for tofts.
    ve : float or (...) array [fraction]
        Extravascular extracellular volume; inf for 2cum and patlak.
    va : float or (...) array [fraction]
        Arterial plasma volume in the voxel (0 unless asked for).
    delay : float or (...) array [s]
        Arrival of the bolus in the tissue after the arterial input.
    """

    Fp: Real[Any, "..."] | NoArray
    PS: Real[Any, "..."] | NoArray
    vp: Real[Any, "..."] | NoArray
    ve: Real[Any, "..."] | NoArray
    va: Real[Any, "..."] | NoArray = 0.0
    delay: Real[Any, "..."] | NoArray = 0.0

    @property
    def E(self) -> Any:
        """Extraction fraction of the compartmental models, PS/(Fp+PS)."""
        return extraction(self.Fp, self.PS)

    @property
    def Ktrans(self) -> Any:
        """Transfer constant [1/s] of compartmental exchange, Fp PS/(Fp+PS) (Sourbron & Buckley 2012)."""
        return transfer_constant(self.Fp, self.PS)

    @property
    def Ktrans_crone(self) -> Any:
        """Transfer constant [1/s] of plug-flow capillaries, Fp (1-exp(-PS/Fp)) (Renkin 1959, Crone 1963)."""
        return transfer_constant(self.Fp, self.PS, mixing=0.0)

    @property
    def kep(self) -> Any:
        """Efflux constant [1/s], Ktrans/ve."""
        return efflux_constant(self.Ktrans, self.ve)

    @property
    def MTT(self) -> Any:
        """Mean transit time [s] of plasma and EES together, (vp+ve)/Fp."""
        return mean_transit_time(self.Fp, self.vp, self.ve)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DCEProtocol:
    """How a DCE-MRI series was (or is to be) measured, after BIDS.

    Attributes
    ----------
    times : (t,) array [s]
        Start of each frame; any spacing, any first value, strictly increasing.
    repetition_time : float [s]
        TR of the excitation.
    flip_angle : float [degrees]
        Nominal angle of the excitation.
    echo_time : float [s]
        TE.
    relaxivity : float [1/(s mmol/L)]
        Longitudinal relaxivity r1.
    field_strength : float [T]
        Of the scanner.
    baseline : int
        Number of frames before contrast arrives; 0 (the default) means unknown, to be detected.
    frame_duration : float [s]
        Time over which a frame is measured; 0 samples the curve at `times`.
    """

    times: Real[Any, "*b t"] | NoArray
    repetition_time: Real[Any, "*#b"] | NoArray
    flip_angle: Real[Any, "*#b"] | NoArray
    echo_time: Real[Any, "*#b"] | NoArray = 0.0
    relaxivity: Real[Any, "*#b"] | NoArray = USUAL_RELAXIVITY
    field_strength: Real[Any, "*#b"] | NoArray = 3.0
    baseline: int = field(default=0, metadata={"static": True})
    frame_duration: Real[Any, "*#b"] | NoArray = 0.0

    @property
    def frame_centres(self) -> Any:
        """(t,) middle of each frame [s]: where a frame average samples the curve to second order."""
        return self.times + self.frame_duration / 2


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ASLProtocol:
    """How an arterial spin labelling series was (or is to be) measured, after BIDS.

    Attributes
    ----------
    volume_types : (n,) tuple of str
        What each volume is: control, label, deltam, m0scan or noRF.
    labelling : str
        "pcasl", "casl" or "pasl".
    label_duration : (n,) array [s]
        tau of (p)casl, bolus duration TI1 of pasl; of no meaning for m0scan.
    post_label_delay : (n,) array [s]
        From the END of labelling to the readout; for pasl the inversion time TI.
    repetition_time : (n,) array [s]
        From one preparation to the next.
    label_efficiency : float
        alpha, that of background suppression's pulses included.
    t1_blood : float [s]
        T1 of arterial blood.
    slice_times : (z,) array [s]
        Readout of every slice after the first; empty in 3-D.
    """

    volume_types: tuple[str, ...] = field(metadata={"static": True})
    labelling: str = field(metadata={"static": True})
    label_duration: Real[Any, "*#b #n"] | NoArray
    post_label_delay: Real[Any, "*#b #n"] | NoArray
    repetition_time: Real[Any, "*#b #n"] | NoArray
    label_efficiency: Real[Any, "*#b"] | NoArray
    t1_blood: Real[Any, "*#b"] | NoArray
    slice_times: Real[Any, "*#b z"] | NoArray

    @property
    def times(self) -> Any:
        """(n,) from the START of labelling to the readout of the first slice [s]: the t of every model."""
        return self.post_label_delay + (0.0 if self.labelling == "pasl" else self.label_duration)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Series:
    """A 4-D measurement: images over time, with their protocol and place in space.

    Attributes
    ----------
    data : (..., t) array
        Images over time, up to three axes of space and the frames.
    protocol : DCEProtocol
        How they were measured.
    affine : (4, 4) array [mm]
        Voxel index to position in the world.
    quantity : str
        What the data hold: "signal" (arbitrary units) or "concentration" (mmol/L of tissue).
    """

    data: Real[Any, "*s t"] | NoArray
    protocol: DCEProtocol
    affine: Real[Any, "*b 4 4"] | NoArray
    quantity: str = field(default="signal", metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Maps:
    """Named maps over one grid, in clinical units.

    Attributes
    ----------
    values : dict of (...) arrays
        The maps by name.
    affine : (4, 4) array [mm]
        Voxel index to position in the world, or None.
    """

    values: dict[str, Shaped[Any, "*s"] | NoArray]
    affine: Real[Any, "*b 4 4"] | NoArray = None

    @classmethod
    def from_internal(cls, values: Mapping[str, Any], affine: Any) -> "Maps":
        """Maps of values [1/s, fractions, s]: here they leave the internal units, for files, tables and figures.

        Parameters
        ----------
        values : dict of (...) arrays
            In internal units, by name.
        affine : (4, 4) array [mm]
            Voxel index to position in the world, or None.

        Returns
        -------
        Maps
            In clinical units.
        """
        return cls({name: to_clinical(name, np.asarray(value)) for name, value in values.items()}, affine)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def units(self) -> dict[str, str]:
        """Unit of each map, from the one table in `simulate.base.units`."""
        return {name: clinical_unit(name) for name in self.values}
