r"""The spectral engine: a whole vascular bed as one linear filter, exact in space and in s.

Steady flow makes every vessel a transfer function (`residence`) and every cell of tissue a capillary-tissue unit
(`simulate.kinetics.capillaries`). From the inlet to a cell they multiply; at a venous confluence tracer flows add.
So for every frequency the whole bed is a few array operations:

    arteries     c_i = \prod_{path} h                                    at the node below vessel i
    supply       e^{-s d_k}/(1 + s m_k)                                   late and dispersed supply of territory k
    cell         c_in = c_k supply_k e^{-s d},  out = Fp V H c_in
    veins        j_i = (1/P_i) \sum_{terminals below} j_k P_k,  P = \prod_{path} h      tracer flow into vessel i

Frequencies are taken in blocks, so that memory is bounded by the curves asked for.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from simulate.bed.assembly import Bed
from simulate.kinetics.capillaries import capillary_unit, unit_concentrations
from simulate.spectral.readout import Readout, read
from simulate.spectral.residence import mean_of_decay, vessel
from simulate.vessels.tree import collect_to_root, multiply_along_paths

_BLOCK = 16  # frequencies at once: the arrays of a block stay in the cache

Residence = Callable[[Any, Any, Any, Any], tuple[Any, Any]]


class Contents(NamedTuple):
    """Tracer per frame or per frequency: concentration [mmol/L] in the capillary-tissue units (c, t) over the cell's
    volume, and plasma concentration in every artery and vein (n, t), mean over the vessel."""

    units: Array
    arteries: Array
    veins: Array


class Ledger(NamedTuple):
    """Amounts of tracer (t,) [mmol/L mm^3]: what came in and went out until a frame, and what is where."""

    inflow: Array
    outflow: Array
    arteries: Array
    supply: Array
    units: Array
    veins: Array

    @property
    def imbalance(self) -> Array:
        """(t,) inflow - outflow - all contents."""
        return self.inflow - self.outflow - self.arteries - self.supply - self.units - self.veins


class ArterialTransfer(NamedTuple):
    """Plasma over the inlet's: in arteries (n, f), at terminals (T, f) and what the supply does to it (lag, spread),
    where it enters the units (c, f)."""

    arteries: Array
    terminals: Array
    lag: Array
    spread: Array
    units: Array


def arterial_transfer(bed: Bed, s: Array, residence: Residence, transit: Array) -> ArterialTransfer:
    """From the inlet to the units. transit : (n,) of what carries the tracer through the arteries [s]."""
    arteries = bed.vessels.arteries
    h, phi = filters(arteries, transit, s, residence)
    reached = multiply_along_paths(arteries, h)
    at_terminal = reached[arteries.terminals]
    lag = jnp.exp(-s * bed.supply_delay[:, None])
    spread = 1 / (1 + s * bed.supply_dispersion[:, None])
    supplied = (at_terminal * lag * spread)[bed.owner] * jnp.exp(-s * bed.local_delay[:, None])
    return ArterialTransfer(phi * reached[arteries.parent], at_terminal, lag, spread, supplied)


@partial(jax.jit, static_argnames=("block", "residence"))
def local_aif(bed: Bed, out: Readout, *, block: int = _BLOCK, residence: Residence = vessel) -> Array:
    """(c, t) plasma concentration that enters the capillary-tissue unit of every cell [mmol/L]."""
    transit = bed.flow.arteries.transit_time(bed.vessels.arteries)
    return summed(lambda s: arterial_transfer(bed, s, residence, transit).units, out, block)


@partial(jax.jit, static_argnames="residence")
def transfer(bed: Bed, s: Array, *, residence: Residence = vessel) -> tuple[Contents, Ledger]:
    """Transfer functions of the bed at the points s (f,) [1/s]: from the inlet's plasma concentration to contents.

    residence : (h, phi) of a vessel from s, transit time, radius and length; `simulate.spectral.residence`.
    Contents are computed from concentrations; inflow and outflow are not used for them.
    """
    vessels, flow, tissue = bed.vessels, bed.flow, bed.tissue
    arteries, veins = vessels.arteries, vessels.veins
    transit = flow.arteries.transit_time(arteries)
    in_arteries, at_terminal, lag, spread, supplied = arterial_transfer(bed, s, residence, transit)

    Fp, PS, vp, ve = (jnp.asarray(a)[:, None] for a in (tissue.Fp, tissue.PS, tissue.vp, tissue.ve))
    alive = Fp > 0
    Fp = jnp.where(alive, Fp, 1.0)
    left = capillary_unit(s, Fp, PS, vp, ve, bed.mixing[:, None])
    plasma, ees = unit_concentrations(s, Fp, PS, vp, ve, bed.mixing[:, None])
    in_units = jnp.where(alive, (vp * plasma + ve * ees) * supplied, 0.0)

    drained = jnp.where(alive, Fp * bed.cell_volume * left * supplied, 0.0)
    shunted = (vessels.terminal_flow * vessels.shunt)[:, None] * at_terminal
    entering = jax.ops.segment_sum(drained, bed.owner, vessels.terminals) + shunted
    h, phi = filters(veins, flow.veins.transit_time(veins), s, residence)
    collected = collect_to_root(veins, h, entering)
    in_veins = phi * collected / flow.veins.plasma[:, None]

    def amount(volume, concentration):
        return jnp.asarray(volume) @ concentration

    wanted = (jnp.asarray(tissue.Fp) * bed.cell_volume)[:, None]
    delayed = at_terminal * lag
    in_supply = bed.supply_delay[:, None] * mean_of_decay(s * bed.supply_delay[:, None]) * at_terminal
    in_supply = in_supply + bed.supply_dispersion[:, None] * delayed * spread
    local = bed.local_delay[:, None]
    on_the_way = local * mean_of_decay(s * local) * (delayed * spread)[bed.owner]
    ledger = Ledger(
        inflow=flow.arteries.plasma[0] / s,
        outflow=collected[0] / s,
        arteries=amount(flow.arteries.plasma_volume(arteries), in_arteries),
        supply=amount(vessels.terminal_flow, in_supply) + jnp.sum(wanted * on_the_way, axis=0),
        units=bed.cell_volume * jnp.sum(in_units, axis=0),
        veins=amount(flow.veins.plasma_volume(veins), in_veins),
    )
    return Contents(in_units, in_arteries, in_veins), ledger


def filters(tree: Any, transit: Any, s: Array, residence: Residence) -> tuple[Array, Array]:
    """(h, phi) (n, f) of every vessel; the root, which has none, lets everything through at once."""
    inner = jnp.arange(tree.nodes) > 0
    transit, radius, length = (
        jnp.where(inner, jnp.asarray(a), filler)[:, None]
        for a, filler in ((transit, 1.0), (tree.radius, 0.01), (tree.length, 1.0))
    )
    h, phi = residence(s, transit, radius, length)
    return jnp.where(inner[:, None], h, 1.0), jnp.where(inner[:, None], phi, 0.0)


@partial(jax.jit, static_argnames=("block", "residence"))
def transport(bed: Bed, out: Readout, *, block: int = _BLOCK, residence: Residence = vessel) -> tuple[Contents, Ledger]:
    """Curves of the whole bed, exact in space and in s (`simulate.spectral.engine`).

    Parameters
    ----------
    bed : Bed
        Of c cells and n nodes in each tree.
    out : Readout
        Input and frames (t,), see `readout`.
    block : int
        Frequencies at once; bounds the memory.
    residence : function
        (h, phi) of a vessel from s, transit time, radius and length (`simulate.spectral.residence`).

    Returns
    -------
    contents : Contents
        Concentrations [mmol/L]: (c, t) in the units over the cell's volume, (n, t) of plasma in arteries and in veins.
    ledger : Ledger
        Amounts (t,) [mmol/L mm^3]: what came in and went out until a frame, and what is where.
    """
    return summed(lambda s: transfer(bed, s, residence=residence), out, block)


def summed(transfers: Callable[[Array], Any], out: Readout, block: int) -> Any:
    """What `out` reads of transfer functions (a PyTree of (.., f)), a block of frequencies at a time."""
    missing = -out.s.shape[0] % block
    s = jnp.pad(out.s, (0, missing), constant_values=1.0)
    matrix = jnp.pad(out.matrix, ((0, missing), (0, 0)))

    def one(total, part):
        found = jax.tree.map(lambda a: read(a, part[1]), transfers(part[0]))
        return jax.tree.map(jnp.add, total, found), None

    parts = (s.reshape(-1, block), matrix.reshape(-1, block, matrix.shape[1]))
    first = jax.tree.map(lambda part: part[0], parts)
    shapes = jax.eval_shape(lambda: jax.tree.map(lambda a: read(a, first[1]), transfers(first[0])))
    nothing = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes)
    return jax.lax.scan(one, nothing, parts)[0]


def cell_concentration(bed: Bed, contents: Contents) -> Array:
    """Concentration of every cell: its unit and the resolved vessels that cross it.

    Parameters
    ----------
    bed : Bed
        Of c cells.
    contents : Contents
        From `transport`.

    Returns
    -------
    (c, t) array [mmol/L of cell]
        In the order of the grid, flattened.
    """
    vessels, flow = bed.vessels, bed.flow
    return in_cells(
        bed, contents, flow.arteries.plasma_volume(vessels.arteries), flow.veins.plasma_volume(vessels.veins)
    )


@jax.jit
def in_cells(bed: Bed, contents: Contents, arterial_volume: Any, venous_volume: Any) -> Array:
    """The same for a tracer that fills these volumes (n,) [mm^3] of the vessels."""
    total = jnp.asarray(contents.units)
    for volume, curves, segments in (
        (arterial_volume, contents.arteries, bed.arterial_segments),
        (venous_volume, contents.veins, bed.venous_segments),
    ):
        amount = volume[:, None] * jnp.asarray(curves) / bed.cell_volume
        total = total.at[segments.cell].add(jnp.asarray(segments.share)[:, None] * amount[segments.vessel])
    return total
