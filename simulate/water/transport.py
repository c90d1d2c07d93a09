r"""Labelled water through the same bed as contrast: ASL and DCE of one blood flow.

Label is a difference of magnetisation of BLOOD, plasma and red cells alike, and decays wherever it is: in blood with
R1b, in tissue with R1t. So every vessel filters with s + R1b and the transit time of blood, and a cell with blood flow
F = Fp/(1 - HD) (HD its terminal's discharge haematocrit), capillary blood volume vb = vp/(1 - HD), and tissue water
vt = \lambda\rho - vb behind an exchange PSw has

    x = [vb (s + R_{1b}) + PSw vt (s + R_{1t}) / (vt (s + R_{1t}) + PSw)] / F,    outflow (1 + x/N)^{-N}
    content = [vb + PSw vt / (vt (s + R_{1t}) + PSw)] m,     m the mean over the tanks of (1 + x/N)^{-k}

per volume of the cell and inflowing label. One stirred cell with PSw -> inf and vb = 0 is the general kinetic model.
As equilibrium magnetisation goes with water, M0b = M0/(\lambda\rho) per volume, and

    \Delta M = 2 \alpha M_0/(\lambda\rho) content,    CBF = F/\rho.

The label enters the block \delta_0 after the labelling plane, and by the labelling
c(s) = e^{-(s + R_{1b})\delta_0} (1 - e^{-k\tau})/k with k = s for (p)casl, s + R1b for pasl.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import ArrayLike, Complex, Float

from simulate.base.constants import (
    ASL_BLOOD_T1,
    ASL_TISSUE_T1,
    BRAIN_DENSITY,
    PARTITION_COEFFICIENT,
    WATER_PERMEABILITY,
)
from simulate.base.exchange import mean_of_mixed, mixed
from simulate.bed.assembly import Bed
from simulate.kinetics.laplace import bromwich_line
from simulate.spectral.engine import Contents, Residence, arterial_transfer, filters, in_cells, summed
from simulate.spectral.readout import Readout
from simulate.spectral.residence import vessel
from simulate.vessels.tree import collect_to_root

FREQUENCIES = 1024
"""A label switched on and off falls off slowly in s: the error goes with 1/frequencies, 5e-4 of the peak at 1,024."""

_BLOCK = 16


class Water(NamedTuple):
    """What becomes of label.

    exchange : PSw (c,) or one number [1/s]; inf mixes blood and tissue at once.      t1_blood, t1_tissue : [s], the
    latter (c,) or one number.      partition_coefficient : [mL/g].      density : [g/mL].
    """

    exchange: Any = WATER_PERMEABILITY
    t1_blood: Any = ASL_BLOOD_T1[3.0]
    t1_tissue: Any = ASL_TISSUE_T1
    partition_coefficient: Any = PARTITION_COEFFICIENT
    density: Any = BRAIN_DENSITY


WATER = Water()
"""The defaults."""


def blood_supply(bed: Bed) -> tuple[Array, Array]:
    """Of every cell: blood flow F [1/s] and capillary blood volume vb (c,), from its terminal's haematocrit."""
    haematocrit = jnp.asarray(bed.flow.arteries.haematocrit)[bed.vessels.arteries.terminals][bed.owner]
    return jnp.asarray(bed.tissue.Fp) / (1 - haematocrit), jnp.asarray(bed.tissue.vp) / (1 - haematocrit)


@partial(jax.jit, static_argnames="residence")
def label_transfer(
    bed: Bed, s: Complex[Array, " f"], water: Water = WATER, *, residence: Residence = vessel
) -> tuple[Contents, Array]:
    """Transfer functions at s (f,) [1/s] from the inlet's label: units (c, f) per volume of cell and mean label in the
    blood of arteries and veins (n, f); and the label that leaves the block per second (f,) [mm^3/s]."""
    vessels, flow = bed.vessels, bed.flow
    arteries, veins = vessels.arteries, vessels.veins
    r1b, r1t = 1 / jnp.asarray(water.t1_blood), 1 / jnp.atleast_1d(jnp.asarray(water.t1_tissue))[:, None]
    in_blood, in_tissue = s + r1b, s + r1t
    arrived = arterial_transfer(bed, in_blood, residence, flow.arteries.blood_transit_time(arteries))
    F, vb = (a[:, None] for a in blood_supply(bed))
    alive = F > 0
    safe = jnp.where(alive, F, 1.0)
    vt = water.partition_coefficient * water.density - vb
    PSw = jnp.atleast_1d(jnp.asarray(water.exchange, vb.dtype))[:, None]
    beside, crossing = tissue_label(PSw, vt, in_tissue)
    x = (vb * in_blood + crossing) / safe
    left = mixed(x, bed.mixing[:, None])
    in_units = jnp.where(alive, (vb + vt * beside) * mean_of_mixed(x, bed.mixing[:, None]) * arrived.units, 0.0)

    drained = jnp.where(alive, F * bed.cell_volume * left * arrived.units, 0.0)
    through = jnp.asarray(flow.arteries.blood)[arteries.terminals] * vessels.shunt / (1 + vessels.shunt)
    entering = jax.ops.segment_sum(drained, bed.owner, vessels.terminals) + through[:, None] * arrived.terminals
    h, phi = filters(veins, flow.veins.blood_transit_time(veins), in_blood, residence)
    collected = collect_to_root(veins, h, entering)
    in_veins = phi * collected / jnp.asarray(flow.veins.blood)[:, None]
    return Contents(in_units, arrived.arteries, in_veins), collected[0]


def tissue_label(PSw: Array, vt: Array, rate: Array) -> tuple[Array, Array]:
    """Of label in blood beside tissue water vt that loses it at `rate`: the tissue's label over the blood's, and what
    crosses to it [1/s]. From vt rate ct = PSw (cb - ct); PSw may be 0 or infinite."""
    open_ = PSw > 0
    resistance = 1 / jnp.where(open_, PSw, 1.0)
    beside = jnp.where(open_, 1 / (1 + vt * rate * resistance), 0.0)
    through = 1 / (resistance + 1 / (vt * rate))  # the barrier and the tissue, one behind the other
    return beside, jnp.where(open_, through, 0.0)


@partial(jax.jit, static_argnames=("labelling", "frequencies"))
def label_readout(
    times: Float[ArrayLike, " t"], label_duration: ArrayLike, *, labelling: str, inlet_delay: ArrayLike, t1_blood: Any,
    frequencies: int = FREQUENCIES,
) -> Readout:  # fmt: skip
    """How readouts at `times` [s after the start of labelling] see a bed that is given label (1 where it is made).

    label_duration : one number or one for every time [s].
    inlet_delay : from the labelling plane to the block [s].
    """
    times = jnp.asarray(times, float)
    duration = jnp.broadcast_to(jnp.asarray(label_duration, float), times.shape)
    last = jnp.max(times)
    s = bromwich_line(jnp.zeros(()), last, frequencies, 1e-5)
    r1b = 1 / jnp.asarray(t1_blood)
    k = (s + r1b if labelling == "pasl" else s)[:, None]
    spectrum = -jnp.expm1(-k * duration) / k * jnp.exp(-(s + r1b) * inlet_delay)[:, None]
    weight = jnp.full(frequencies, 2.0).at[0].set(1.0)[:, None] / (2 * last)
    return Readout(s, weight * spectrum * jnp.exp(s[:, None] * times))


def label_curves(bed: Bed, out: Readout, water: Water = WATER) -> Float[Array, "c t"]:
    """Label in every cell per volume, its vessels included, as `out` reads it."""
    volumes = bed.vessels.arteries.volume, bed.vessels.veins.volume
    return in_cells(bed, _contents(bed, out, water), *volumes)


@jax.jit
def _contents(bed: Bed, out: Readout, water: Water) -> Contents:
    return summed(lambda s: label_transfer(bed, s, water)[0], out, _BLOCK)


def difference_from(label: Array, *, m0: Any, label_efficiency: Any, water: Water = WATER) -> Array:
    """Control minus label in the unit of m0, from label per volume."""
    return 2 * label_efficiency * m0 / (water.partition_coefficient * water.density) * label
