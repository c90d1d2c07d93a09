"""Numbers of an ASL examination that Python callers may give in other units than files are allowed to."""

from typing import Any

import numpy as np

from simulate.base.errors import InputError
from simulate.base.schemes import LABELLED
from simulate.files.bids.asl import LONGEST, LONGEST_TR, ASLSidecar
from simulate.labelling.difference import MODELS


def check_asl_protocol(sidecar: ASLSidecar, calibration: Any, options: Any) -> None:
    """Raises InputError for what is in milliseconds or per cent, and for an unknown model."""
    own = sidecar.protocol
    labelled = np.isin(own.volume_types, LABELLED)
    times = "seconds above 0 and below"
    _within("label_duration", _each(own.label_duration, labelled), 0.0, LONGEST, f"{times} {LONGEST:g}")
    _within("post_label_delay", _each(own.post_label_delay, labelled), -1e-9, LONGEST, f"{times} {LONGEST:g}, or 0")
    if np.isfinite(own.label_efficiency):
        _within("label_efficiency", own.label_efficiency, 0.0, 1 + 1e-9, "a fraction above 0 and up to 1")
    if calibration is not None and calibration.repetition_time is not None:
        _within("repetition_time of M0", calibration.repetition_time, 0.0, LONGEST_TR, f"{times} {LONGEST_TR:g}")
    if options.model not in MODELS:
        raise InputError("model", options.model, "is no model", f"choose one of {', '.join(MODELS)}")


def _each(values: Any, labelled: np.ndarray) -> np.ndarray:
    """Of the volumes that are labelled or go with one: of no other have they a meaning."""
    return np.broadcast_to(np.asarray(values, float), labelled.shape)[labelled]


def _within(name: str, values: Any, low: float, high: float, words: str) -> None:
    values = np.asarray(values, float).ravel()
    outside = values[~((values > low) & (values < high))]
    if outside.size:
        raise InputError("ASL series", name, f"is {outside[0]:g}, and must be in {words}", "correct the protocol")
