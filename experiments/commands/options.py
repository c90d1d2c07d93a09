"""What `estimate` says of its arguments, in the options of the command line.

Sentences of `estimate` set arguments in backticks: `scale="asl"` becomes --scale asl, and an array is an image here, so
that `aif=roi` becomes --aif roi.nii.gz. Where an error names an argument as the place that is wrong, it is its option.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields

from estimate.asl.examination import ASLOptions
from experiments.commands.read_dce import DCEOptions
from simulate.base.errors import InputError

_OWN = {
    "kind": "--aif-is ",
    "calibration": "--m0 ",
    "baseline": "--set BaselineVolumes=",
    "pulses": "--set BackgroundSuppressionNumberPulses=",
}
"""Options that are not called as their argument is."""

_POSITIONAL = ("series", "out")

_OPTIONS = {each.name for kind in (DCEOptions, ASLOptions) for each in fields(kind)}.difference(_POSITIONAL)

_ARGUMENT = re.compile(r"`(\w+)(?:=([^`]*))?`")


@contextmanager
def errors_in_options() -> Iterator[None]:
    """Errors of `estimate` that leave this block are in the words of the command line; it decorates functions too."""
    try:
        yield
    except InputError as error:
        parts = error.where.split(", ")
        where = ", ".join(_option(part).rstrip() for part in parts) if _OPTIONS.issuperset(parts) else error.where
        words = (in_options(text) for text in (error.field, error.problem, error.cure))
        raise InputError(where, *words) from error


def in_options(text: str) -> str:
    """A sentence in the words of the command line."""
    return _ARGUMENT.sub(lambda found: _given(found[1], found[2]), text)


def _given(name: str, value: str | None) -> str:
    if value is None:
        return _option(name).rstrip()
    image = value.isidentifier() and not _option(name).endswith("=")
    return _option(name) + (f"{value}.nii.gz" if image else value.replace('"', ""))


def _option(name: str) -> str:
    return _OWN.get(name, f"--{name.replace('_', '-')} ")
