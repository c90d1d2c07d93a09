"""The sidecars of a series of one file for each frame, joined to one: common fields, and the time of every frame."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from simulate.base.errors import InputError
from simulate.files.bids.fields import Fields, Rule, read_fields, same_value

DAY = 86400.0
"""Seconds after which the time of day starts again."""

_CLOCK = re.compile(r"(\d{1,2}):(\d{2}):(\d{2}(?:\.\d*)?)")

IN_ORDER = "give the frames in the order of time"


def read_frames_fields(
    image_paths: Sequence[Path],
    overrides: dict[str, object] | None,
    rules: Mapping[str, Rule],
    synonyms: Mapping[str, tuple[str, ...]],
    common: Sequence[str],
) -> Fields:
    """The fields of the first frame, with those that only others have, and VolumeTiming of all.

    common : the fields that must agree where two frames have them, but for rounding.

    Raises
    ------
    InputError where they do not, and where the files are not in the order of time.
    """
    own = [read_fields(path, overrides, rules, synonyms) for path in image_paths]
    shared: dict[str, tuple[Fields, str, Any]] = {}
    for field in common:
        for fields in own:
            name, value, origin = fields.find(field)
            if origin != "sidecar":
                continue
            first, _, known = shared.setdefault(field, (fields, name, value))
            if not same_value(value, known):
                raise fields.differs(name, value, first, known, "give frames of one protocol")
    sidecar = {name: value for _, name, value in shared.values()}
    sources = {name: fields.sources[name] for fields, name, _ in shared.values()}
    if "VolumeTiming" in own[0].overrides:
        _not_backwards(own)
        times = []
    else:
        times = _volume_timing(own)
    if times:
        sidecar["VolumeTiming"] = times
    return replace(own[0], sidecar=sidecar, sources={**own[0].sources, **sources})


def _volume_timing(own: Sequence[Fields]) -> list[Any]:
    """Start of every frame [s]: the first sidecar's list, or each sidecar's own number or time of day; else empty."""
    first = own[0].sidecar.get("VolumeTiming")
    if isinstance(first, list) and len(first) != 1:
        for fields in own[1:]:
            if (other := fields.sidecar.get("VolumeTiming", first)) != first:
                raise fields.differs("VolumeTiming", other, own[0], first, "give one list for all frames")
        return first
    timed = [fields for fields in own if "VolumeTiming" in fields.sidecar]
    starts = [_start(fields) for fields in timed]
    # A file of one frame may well count from its own beginning: zeros say nothing of the series.
    clocked = [fields for fields in own if "AcquisitionTime" in fields.sidecar]
    if len(timed) == len(own) and (any(starts) or not clocked):
        return _in_order(own, starts, "VolumeTiming")
    if len(clocked) == len(own):
        return _in_order(own, _past_midnight([_time_of_day(fields) for fields in own]), "AcquisitionTime")
    if timed or clocked:
        without = next(fields for fields in own if fields not in (timed or clocked))
        missing = "VolumeTiming" if timed else "AcquisitionTime"
        cure = "write it there or give --set VolumeTiming=[...] with the start of every frame"
        raise InputError(without.path, missing, "missing, and other frames have it", cure)
    return []


def _not_backwards(own: Sequence[Fields]) -> None:
    """Times that the user sets are those of the files in the order given, which their clocks must not contradict."""
    clocks = [fields.sidecar.get("AcquisitionTime") for fields in own]
    if all(isinstance(clock, str) and _CLOCK.fullmatch(clock.strip()) for clock in clocks):
        times = _past_midnight([_time_of_day(fields) for fields in own])
        _in_order(own, [t + 1e-6 * i for i, t in enumerate(times)], "AcquisitionTime")  # the same clock is no order


def _start(fields: Fields) -> float:
    value = fields.sidecar["VolumeTiming"]
    if isinstance(value, list):
        if len(value) != 1:
            raise fields.error("VolumeTiming", f"has length {len(value)}, and the image has 1 frame")
        value = value[0]
    return fields.checked("VolumeTiming", value, None)


def _time_of_day(fields: Fields) -> float:
    """Seconds since midnight of AcquisitionTime, which dcm2niix writes as "13:45:30.250000"."""
    value = fields.sidecar["AcquisitionTime"]
    parts = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if parts is None:
        problem = f"is {value!r}, and must be a time of day, HH:MM:SS.ffffff"
        cure = "correct it there or give --set VolumeTiming=[...] with the start of every frame"
        raise InputError(fields.sources["AcquisitionTime"], "AcquisitionTime", problem, cure)
    hours, minutes, seconds = map(float, parts.groups())
    return 3600 * hours + 60 * minutes + seconds


def _past_midnight(times: Sequence[float]) -> list[float]:
    """A clock that falls back by more than half a day has passed midnight; by less, the frames are out of order."""
    days, unwrapped = 0, [times[0]]
    for earlier, later in pairwise(times):
        days += earlier - later > DAY / 2
        unwrapped.append(later + DAY * days)
    return unwrapped


def _in_order(own: Sequence[Fields], times: Sequence[float], name: str) -> list[float]:
    for (earlier, start), (later, other) in pairwise(zip(own, times, strict=True)):
        if not other > start:
            said, before = (fields.sidecar[name] for fields in (later, earlier))
            backwards = name == "AcquisitionTime" and other < start
            cure = IN_ORDER if backwards else f"{IN_ORDER}, or --set VolumeTiming=[...]"
            raise InputError(
                later.sources[name], name, f"is {said}, not after {before} in {earlier.sources[name]}", cure
            )
    return list(times)
