"""Cerebral blood flow from one delay, by the consensus formulas."""

from typing import Any

import jax.numpy as jnp
from jax import Array
from jaxtyping import ArrayLike

from simulate.base.units import to_clinical
from simulate.labelling.difference import check_labelling

EQUATIONS = {
    "pcasl": "CBF = 6000 λ ΔM exp(PLD/T1b) / (2 α T1b M0 (1 - exp(-τ/T1b)))",
    "pasl": "CBF = 6000 λ ΔM exp(TI/T1b) / (2 α TI1 M0)",
}
EQUATIONS["casl"] = EQUATIONS["pcasl"]


def white_paper_cbf(
    difference: ArrayLike, m0: ArrayLike, *, labelling: str, label_duration: ArrayLike, post_label_delay: ArrayLike,
    label_efficiency: ArrayLike, partition_coefficient: ArrayLike, t1_blood: ArrayLike,
) -> Any:  # fmt: skip
    r"""Cerebral blood flow from one delay, by the consensus formulas (Alsop et al., MRM 2015 73:102).

    All label is taken to have arrived and never to leave the blood; where it enters tissue, whose T1 is shorter, the
    result is 11-25 % low::

        (p)casl   CBF = 6000 \lambda \Delta M e^{PLD/T_{1b}} / (2 \alpha T_{1b} M_0 (1 - e^{-\tau/T_{1b}}))
        pasl      CBF = 6000 \lambda \Delta M e^{TI/T_{1b}}  / (2 \alpha TI_1 M_0)

    Parameters
    ----------
    difference : float or (...) array
        \Delta M, control minus label; all arguments broadcast.
    m0 : float or (...) array
        Equilibrium magnetisation of tissue, in the same unit.
    labelling : str
        "pcasl", "casl" or "pasl".
    label_duration : float or (...) array [s]
        \tau, for pasl the bolus duration TI1.
    post_label_delay : float or (...) array [s]
        PLD, for pasl the inversion time TI; later slices have a later one.
    label_efficiency : float
        \alpha, that of suppression pulses included.
    partition_coefficient : float [mL/g]
        \lambda.
    t1_blood : float [s]
        T1 of arterial blood.

    Returns
    -------
    (...) array [mL/100 g/min]
        CBF.

    Raises
    ------
    InputError
        For an unknown labelling.
    """
    flow = white_paper_flow(
        difference, m0, labelling=labelling, label_duration=label_duration, post_label_delay=post_label_delay,
        label_efficiency=label_efficiency, partition_coefficient=partition_coefficient, t1_blood=t1_blood,
    )  # fmt: skip
    return to_clinical("CBF", flow)


def white_paper_flow(
    difference: ArrayLike, m0: ArrayLike, *, labelling: str, label_duration: ArrayLike, post_label_delay: ArrayLike,
    label_efficiency: ArrayLike, partition_coefficient: ArrayLike, t1_blood: ArrayLike,
) -> Any:  # fmt: skip
    """The same in mL/g/s."""
    check_labelling(labelling)
    tau, delay, t1b = (jnp.asarray(a, float) for a in (label_duration, post_label_delay, t1_blood))
    made: Array = tau if labelling == "pasl" else -t1b * jnp.expm1(-tau / t1b)
    sensitivity = 2 * jnp.asarray(label_efficiency) * jnp.asarray(m0) * made * jnp.exp(-delay / t1b)
    return jnp.asarray(partition_coefficient) * jnp.asarray(difference) / sensitivity
