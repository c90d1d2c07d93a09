"""What `tracerflow simulate dce` can be told, in a TOML file: every key with its default, unit and range."""

import re
from pathlib import Path
from typing import Any

from experiments.config.toml import Key, Sections, number, one_of, read_toml, several, toml_help


def _capillaries(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"2cxm|dp|tanks-[1-9]\d?", value) is not None


CONFIG: Sections = {
    "": {
        "seed": Key(0, *number(0, 2**31 - 1, "", whole=True)),
        "phantoms": Key(1, *number(1, 1_000_000, "", whole=True)),
        "memory": Key(8.0, *number(0.1, 4096, "GB")),
    },
    "phantom": {
        "grade": Key(4, *one_of(0, 2, 3, 4)),
        "capillaries": Key("2cxm", _capillaries, "2cxm, dp or tanks-N with N up to 99"),
        "shape": Key([32, 32, 32], *several(8, 1024, "cells", whole=True)),
        "cell": Key([2.0, 2.0, 2.0], *several(0.05, 20, "mm")),
        "late_feed": Key(4.0, *number(0, 30, "s")),
    },
    "vessels": {
        "terminals": Key(5000, *number(2, 10_000_000, "", whole=True)),
        "haematocrit": Key(0.42, *number(0, 0.69, "")),
    },
    "aif": {
        "name": Key("parker", *one_of("parker", "georgiou")),
        "onset": Key(20.0, *number(0, 600, "s")),
        "amplitude": Key(1.0, *number(0.05, 10, "times the population's")),
    },
    "protocol": {
        "frames": Key(100, *number(2, 10_000, "", whole=True)),
        "frame_spacing": Key(2.0, *number(0.1, 300, "s")),
        "RepetitionTimeExcitation": Key(0.004, *number(1e-4, 0.999, "s")),
        "EchoTime": Key(0.0015, *number(0, 0.999, "s")),
        "FlipAngle": Key(20.0, *number(0.1, 90, "degrees")),
        "LongitudinalRelaxivity": Key(5.0, *number(0.1, 100, "1/(s mmol/L)")),
        "MagneticFieldStrength": Key(3.0, *number(0.1, 30, "T")),
    },
    "measurement": {
        "snr": Key(50.0, *number(0.1, 1e6, "")),
        "coarsen": Key(1, *number(1, 64, "cells", whole=True)),
        "frequencies": Key(512, *number(64, 65536, "", whole=True)),
    },
}
"""Section -> key -> what it may hold. One phantom is one examination; phantom i has the seed and i as its key."""


def read_config(path: Path | None) -> dict[str, dict[str, Any]]:
    """The configuration of a TOML file, every key filled in (see `read_toml`)."""
    return read_toml(path, CONFIG)


def config_help() -> str:
    """The whole configuration as TOML, with what every key may hold."""
    return toml_help(CONFIG)
