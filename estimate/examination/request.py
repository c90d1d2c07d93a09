"""Which methods there are, and which options go together."""

from typing import Any

from estimate.examination.without_input import METHODS as WITHOUT_INPUT
from estimate.kinetics.bounds import resolve_bounds
from estimate.kinetics.fit import FIT_MODELS
from simulate.base.errors import InputError

METHODS = (*FIT_MODELS, *WITHOUT_INPUT)


def check_options(
    method: str, *, fit_delay: bool, arterial_volume: bool, bounds: Any, scale: str, with_cbf: bool, with_weights: bool
) -> None:
    """Raises InputError for an unknown method, and for options that are of another one."""
    if method not in METHODS:
        raise InputError("method", method, "is no method", f"choose one of {', '.join(METHODS)}")
    if method not in WITHOUT_INPUT and scale != "population":
        cure = 'leave it out, or use `method="qtmnet"`'
        raise InputError("scale", method, "belongs to methods without an arterial input", cure)
    if method != "qtmnet" and with_weights:
        raise InputError("weights", method, "belongs to qtmnet", 'leave it out, or use `method="qtmnet"`')
    if scale != "asl" and with_cbf:
        raise InputError("cbf", scale, 'is used with `scale="asl"` alone', 'add `scale="asl"`')
    if method in WITHOUT_INPUT and (fit_delay or arterial_volume):
        problem = "has no `fit_delay` or `arterial_volume`"
        raise InputError("method", method, problem, "leave them out, or fit a model")
    if arterial_volume and method in ("etm", "patlak"):
        raise InputError(
            "arterial_volume", method, "its vp cannot be told apart from an arterial volume",
            'leave it out, or use `method="2cxm"`',
        )  # fmt: skip
    resolve_bounds(bounds)


def needs_input(method: str, scale: str) -> bool:
    """Whether an arterial input is measured, drawn or given at all."""
    return method not in WITHOUT_INPUT or scale == "vessels"
