"""A compartmental model in the compressed space: residual, gradient and Gauss-Newton matrix of a batch.

The solver works in coordinates u in which the physical bounds are a box: u = log of Fp, PS, vp and of
ve/(1-vp) (so that vp + ve <= 1 always), and va and delay [s] themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jax import Array

from estimate.kinetics.table import ExponentialTable, read_exponential, read_fixed
from estimate.least_squares.standard_errors import Linear, scaled_cholesky, solve_lower
from simulate.base.exchange import LIMITS, transfer_constant
from simulate.kinetics.compartments import COMPARTMENT_MODELS, Terms
from simulate.kinetics.tissue import mixing_of

_LINEAR = ("va", "delay")


@dataclass(frozen=True)
class FitModel:
    """What is fitted: a compartmental model, perhaps with arterial plasma and a delay (hashable, static)."""

    name: str
    arterial_volume: bool = False
    fit_delay: bool = False
    parameters: tuple[str, ...] = field(init=False)

    def __post_init__(self):
        known = COMPARTMENT_MODELS.get(self.name)
        own = ("Fp", "PS", "vp", "ve") if known is None else known.parameters
        extra = ("va",) * self.arterial_volume + ("delay",) * self.fit_delay
        object.__setattr__(self, "parameters", own + extra)

    def terms(self, values: dict[str, Array]) -> Terms:
        model = COMPARTMENT_MODELS[self.name]
        terms = model.terms(*(values[name] for name in model.parameters))
        if self.arterial_volume:
            terms = terms._replace(plasma=values["va"] + (0.0 if terms.plasma is None else terms.plasma))
        return terms

    def transfer_constant(self, values: dict[str, Array]) -> Array:
        """Ktrans [1/s]: Fp PS/(Fp+PS) of compartments, Fp (1-exp(-PS/Fp)) of plug-flow capillaries."""
        return transfer_constant(values.get("Fp", LIMITS["Fp"]), values["PS"], mixing_of(self.name))


def to_physical(names: Sequence[str], u: Sequence[Array]) -> dict[str, Array]:
    """Coordinates to parameters."""
    values = {n: c if n in _LINEAR else jnp.exp(c) for n, c in zip(names, u, strict=True)}
    if "ve" in values and "vp" in values:
        values["ve"] = values["ve"] * (1 - values["vp"])
    return values


def to_coordinates(names: Sequence[str], values: dict[str, Array]) -> list[Array]:
    """Parameters to coordinates."""
    values = dict(values)
    if "ve" in values and "vp" in values:
        values["ve"] = values["ve"] / (1 - values["vp"])
    return [values[n] if n in _LINEAR else jnp.log(values[n]) for n in names]


def _coefficients(model: FitModel, kappa: Array, values: dict[str, Array]) -> list[Array]:
    """(a_1, log K_1, a_2, log K_2, ..., uptake, plasma) in the table's normalisation."""
    terms = model.terms(values)
    out = []
    for flow, rate in terms.exchange:
        out += [flow / (rate + kappa), jnp.log(rate)]
    out += [] if terms.uptake is None else [terms.uptake / kappa]
    return out + ([] if terms.plasma is None else [terms.plasma])


def _columns(model: FitModel, table: ExponentialTable, c: list[Array], delay: Array | None):
    """Compressed curves that the model and its derivatives are made of, and what multiplies them."""
    kinds = _kinds(model)
    columns, position = [], 0
    for kind in kinds:
        if kind == "exchange":
            columns.append(read_exponential(table, c[position + 1], delay))
            position += 2
        else:
            columns.append(read_fixed(table, 1 if kind == "uptake" else 0, delay, c[position].shape[0]))
            position += 1
    return kinds, columns


def _kinds(model: FitModel) -> list[str]:
    """The terms that this model has, in the order of `_coefficients`."""
    one = jnp.ones(())
    terms = jax.eval_shape(lambda: model.terms(dict.fromkeys(("Fp", "PS", "vp", "ve", "va"), 0.1 * one)))
    return (
        ["exchange"] * len(terms.exchange)
        + ["uptake"] * (terms.uptake is not None)
        + ["plasma"] * (terms.plasma is not None)
    )


def compressed_normal_equations(
    model: FitModel,
    table: ExponentialTable,
    y: Array,
    u: Array,
) -> tuple[Array, Array, Array]:
    """Residual sum of squares (v,), gradient J^T r (p, v) and J^T J (p, p, v) at coordinates u (p, v)."""
    curve, flat, rows = _linearised(model, table, u)
    return _contract(_gram([*flat, y - curve]), rows)


def linearised(model: FitModel, table: ExponentialTable, matrix: Array, u: Array) -> Linear:
    """The model about u (p, v), where its Gauss-Newton matrix is `matrix` (p, p, v)."""
    curve, flat, rows = _linearised(model, table, u)
    R = scaled_cholesky(matrix)
    rows = solve_lower(R, rows)
    w = sum((rows[:, k, None] * each.T for k, each in enumerate(flat)), jnp.zeros(()))
    return Linear(table.basis.T @ curve.T, R, w, table.directions)


def linearised_curve(model: FitModel, table: ExponentialTable, u: Array) -> Array:
    """(p, v, r) derivatives of the compressed curve by the coordinates u (p, v)."""
    _, flat, rows = _linearised(model, table, u)
    return sum((rows[:, k, :, None] * each for k, each in enumerate(flat)), jnp.zeros(()))


def _linearised(model: FitModel, table: ExponentialTable, u: Array) -> tuple[Array, list[Array], Array]:
    """The model's compressed curve (v, r), n curves (v, r) that its derivatives are made of, and how (p, n, v)."""
    names = model.parameters
    delay = u[names.index("delay")] if model.fit_delay else None

    def coefficients(coordinates):
        return jnp.stack(_coefficients(model, table.kappa, to_physical(names, tuple(coordinates))))

    c, push = jax.linearize(coefficients, u)
    unit = jnp.eye(len(names), dtype=u.dtype)
    slopes = jax.vmap(push)(jnp.broadcast_to(unit[..., None], (*unit.shape, u.shape[1])))  # (p, m, v)
    kinds, columns = _columns(model, table, list(c), delay)

    curve, flat, rows, at = jnp.zeros(()), [], [], 0
    for kind, column in zip(kinds, columns, strict=True):
        amplitude = c[at]
        curve = curve + amplitude[:, None] * column[0]
        flat += column
        rows.append(slopes[:, at])
        if kind == "exchange":
            rows.append(amplitude * slopes[:, at + 1])
        if delay is not None:  # it moves every curve
            rows.append(amplitude * unit[:, names.index("delay"), None])
        at += 2 if kind == "exchange" else 1
    return curve, flat, jnp.stack(rows, axis=1)


def _gram(vectors: list[Array]) -> Array:
    """All inner products (n, n, v). The barrier keeps the compiler from recomputing the vectors for each."""
    stacked = jax.lax.optimization_barrier(jnp.stack(vectors, axis=1))
    return jnp.einsum("vir,vjr->ijv", stacked, stacked)


def _contract(gram: Array, rows: Array) -> tuple[Array, Array, Array]:
    """From inner products of the curves to those of the derivatives, rows = derivative by curve (p, n, v)."""
    # Without these barriers the compiler recomputes the derivatives inside every product: three times slower.
    rows = jax.lax.optimization_barrier(rows)
    n = rows.shape[1]
    # sums over the few curves are written out: a batched product of tiny matrices is far slower on a CPU
    products = sum((rows[:, k, None] * gram[k] for k in range(n)), jnp.zeros(()))
    products = jax.lax.optimization_barrier(products)  # (p, n + 1, v), the last with the residual
    matrix = sum((products[:, None, k] * rows[:, k] for k in range(n)), jnp.zeros(()))
    return gram[n, n], products[:, n], matrix
