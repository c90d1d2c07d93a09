r"""Blood in small vessels: apparent viscosity, tube haematocrit, and how red cells divide at a bifurcation.

The empirical laws of Pries and Secomb are functions of the diameter D in MICROMETRES and of the discharge
haematocrit H; D is 2000 times the radius in mm.
"""

import jax.numpy as jnp
from jax import Array
from jax.scipy.special import expit, logit
from jaxtyping import ArrayLike, Float

MICROMETRES = 2000.0
"""Diameter [micrometres] over radius [mm]."""

NARROWEST = 1.5e-3
"""Radius [mm] below which Pries' laws, singular at a diameter of 1.1 micrometres, mean nothing (chosen)."""


def relative_viscosity(diameter: Float[ArrayLike, "*#v"], haematocrit: Float[ArrayLike, "*#v"]) -> Float[Array, "*v"]:
    """Apparent viscosity of blood in vivo over that of plasma (Pries et al., Circ Res 75:904, 1994).

    mu = [1 + (m-1) ((1-H)^C - 1)/(.55^C - 1) k] k, k = (D/(D-1.1))^2, m = 6 e^{-.085 D} + 3.2 - 2.44 e^{-.06 D^.645},
    C = (.8 + e^{-.075 D})(x - 1) + x, x = 1/(1 + 1e-11 D^12).     diameter : [micrometres], above 1.1.
    """
    D, H = jnp.asarray(diameter), jnp.asarray(haematocrit)
    m = 6 * jnp.exp(-0.085 * D) + 3.2 - 2.44 * jnp.exp(-0.06 * D**0.645)
    x = 1 / (1 + (D / 10) ** 12 * 10)
    C = (0.8 + jnp.exp(-0.075 * D)) * (x - 1) + x
    k = (D / (D - 1.1)) ** 2
    # expm1 and log1p: C passes through 0 near 10 micrometres
    cells = jnp.expm1(C * jnp.log1p(-H)) / jnp.expm1(C * jnp.log(0.55))
    return (1 + (m - 1) * cells * k) * k


def tube_haematocrit(diameter: Float[ArrayLike, "*#v"], haematocrit: Float[ArrayLike, "*#v"]) -> Float[Array, "*v"]:
    """Red cells in the tube's volume, below those in its flow (Fåhraeus effect; Pries et al., Circ Res 67:826, 1990).

    H_T/H = H + (1-H)(1 + 1.7 e^{-.35 D} - .6 e^{-.01 D}), at most 1.     diameter : [micrometres].
    """
    D, H = jnp.asarray(diameter), jnp.asarray(haematocrit)
    ratio = H + (1 - H) * (1 + 1.7 * jnp.exp(-0.35 * D) - 0.6 * jnp.exp(-0.01 * D))
    return H * jnp.minimum(ratio, 1.0)


def red_cell_share(
    flow_share: Float[ArrayLike, "*#v"],
    haematocrit: Float[ArrayLike, "*#v"],
    parent: Float[ArrayLike, "*#v"],
    daughter: Float[ArrayLike, "*#v"],
    sibling: Float[ArrayLike, "*#v"],
) -> Float[Array, "*v"]:
    """Share of the parent's red cells that enters a daughter which takes `flow_share` of its blood.

    logit FQE = A + B logit((FQB - X0)/(1 - 2 X0)), 0 below X0 and 1 above 1-X0, with X0 = .964 (1-H)/Df,
    A = -13.29 (rho-1)/(rho+1) (1-H)/Df, rho = (Da/Db)^2, B = 1 + 6.98 (1-H)/Df (Pries & Secomb, Am J Physiol
    Heart 289:H2657, 2005). The shares of the two daughters add up to 1.

    haematocrit : discharge haematocrit of the parent.      parent, daughter, sibling : diameters [micrometres].
    """
    free = (1 - jnp.asarray(haematocrit)) / parent
    least = 0.964 * free
    ratio = (jnp.asarray(daughter) / sibling) ** 2
    A = -13.29 * (ratio - 1) / (ratio + 1) * free
    B = 1 + 6.98 * free
    x = (flow_share - least) / (1 - 2 * least)
    inside = (x > 0) & (x < 1)
    share = expit(A + B * logit(jnp.where(inside, x, 0.5)))
    return jnp.where(inside, share, (x >= 1).astype(share.dtype))
