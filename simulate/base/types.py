"""The nouns that every floor shares: tissue, protocol, series, maps.

All are frozen dataclasses registered as PyTrees, so they pass through jit, vmap and grad unchanged.
Units are internal everywhere: s, mm, mmol/L, 1/s, fractions, degrees (BIDS); see `simulate.base.units`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from simulate.base.constants import USUAL_RELAXIVITY
from simulate.base.exchange import efflux_constant, extraction, mean_transit_time, transfer_constant
from simulate.base.units import clinical_unit, to_clinical


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Tissue:
    """Perfusion parameters of tissue, named by the OSIPI CAPLEX; every field has the same leading shape.

    Where a model has no such parameter, that of `simulate.base.exchange.LIMITS`.

    Fp : plasma flow [1/s] (mL plasma per mL tissue and second); inf where the model has none (etm, ...).
    PS : permeability-surface product [1/s]; it is Ktrans where Fp is inf.
    vp : plasma volume fraction; 0 for tofts.
    ve : extravascular extracellular volume fraction; inf for 2cum and patlak.
    va : arterial plasma volume fraction in the voxel (0 unless asked for).
    delay : arrival of the bolus in the tissue after the arterial input [s].
    """

    Fp: Any
    PS: Any
    vp: Any
    ve: Any
    va: Any = 0.0
    delay: Any = 0.0

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

    times : (t,) start of each frame [s]; any spacing, any first value, strictly increasing.
    repetition_time : TR of the excitation [s].       flip_angle : [degrees].       echo_time : TE [s].
    relaxivity : longitudinal relaxivity r1 [1/(s mmol/L)].      field_strength : [T].
    baseline : number of frames before contrast arrives; 0 (the default) means unknown, to be detected.
    frame_duration : time over which a frame is measured [s]; 0 samples the curve at `times`.
    """

    times: Any
    repetition_time: Any
    flip_angle: Any
    echo_time: Any = 0.0
    relaxivity: Any = USUAL_RELAXIVITY
    field_strength: Any = 3.0
    baseline: int = field(default=0, metadata={"static": True})
    frame_duration: Any = 0.0

    @property
    def frame_centres(self) -> Any:
        """(t,) middle of each frame [s]: where a frame average samples the curve to second order."""
        return self.times + self.frame_duration / 2


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ASLProtocol:
    """How an arterial spin labelling series was (or is to be) measured, after BIDS.

    volume_types : (n,) what each volume is: control, label, deltam, m0scan or noRF.
    labelling : "pcasl", "casl" or "pasl".
    label_duration : (n,) tau [s] of (p)casl, bolus duration TI1 of pasl; of no meaning for m0scan.
    post_label_delay : (n,) from the END of labelling to the readout [s]; for pasl the inversion time TI.
    repetition_time : (n,) from one preparation to the next [s].
    label_efficiency : alpha, that of background suppression's pulses included.
    t1_blood : [s].      slice_times : (z,) readout of every slice after the first [s]; empty in 3-D.
    """

    volume_types: tuple[str, ...] = field(metadata={"static": True})
    labelling: str = field(metadata={"static": True})
    label_duration: Any
    post_label_delay: Any
    repetition_time: Any
    label_efficiency: Any
    t1_blood: Any
    slice_times: Any

    @property
    def times(self) -> Any:
        """(n,) from the START of labelling to the readout of the first slice [s]: the t of every model."""
        return self.post_label_delay + (0.0 if self.labelling == "pasl" else self.label_duration)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Series:
    """A 4-D measurement: data (*space, t), its protocol, its voxel-to-world affine, and what it holds.

    quantity : "signal" (arbitrary units) or "concentration" (mmol/L of tissue).
    """

    data: Any
    protocol: DCEProtocol
    affine: Any
    quantity: str = field(default="signal", metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Maps:
    """Named maps over one grid, in clinical units: values (*space) by name, and the affine of the grid."""

    values: dict[str, Any]
    affine: Any = None

    @classmethod
    def from_internal(cls, values: Mapping[str, Any], affine: Any) -> "Maps":
        """Maps of values [1/s, fractions, s]: here they leave the internal units, for files, tables and figures."""
        return cls({name: to_clinical(name, np.asarray(value)) for name, value in values.items()}, affine)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def units(self) -> dict[str, str]:
        """Unit of each map, from the one table in `simulate.base.units`."""
        return {name: clinical_unit(name) for name in self.values}
