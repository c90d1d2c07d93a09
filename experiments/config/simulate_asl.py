"""What `tracerflow simulate asl` can be told, in a TOML file: every key with its default, unit and range."""

from pathlib import Path
from typing import Any

from experiments.config.simulate_dce import CONFIG as DCE
from experiments.config.toml import Key, Sections, number, one_of, read_toml, several, toml_help

CONFIG: Sections = {
    "": {name: DCE[""][name] for name in ("seed", "phantoms")},
    "phantom": DCE["phantom"]
    | {
        # with that of contrast much of the label would arrive after the last readout, and no method could see it
        "late_feed": DCE["phantom"]["late_feed"]._replace(default=1.0),
        "water_exchange": Key(150.0, *number(0, 1e5, "mL/100 mL/min")),
    },
    "vessels": DCE["vessels"],
    "labelling": {
        "type": Key("pcasl", *one_of("pcasl", "casl", "pasl")),
        "PostLabelingDelay": Key(
            [0.5, 1.0, 1.5, 2.0, 2.5, 3.0], *several(0.0, 9.9, "s; of pasl the inversion times", count=None)
        ),
        "LabelingDuration": Key(1.8, *number(0.05, 9.9, "s; of pasl the bolus duration")),
        "LabelingEfficiency": Key(0.85, *number(0.01, 1, "")),
        "RepetitionTimePreparation": Key(6.0, *number(0.1, 59, "s")),
        "MagneticFieldStrength": Key(3.0, *one_of(1.5, 3.0, 7.0)),
        "pairs": Key(8, *number(1, 10_000, "at every delay", whole=True)),
        "inlet_delay": Key(0.7, *number(0, 5, "s from the labelling plane to the block")),
    },
    "measurement": {
        "sigma": Key(0.002, *number(0, 10, "of M0, in every volume")),
        "coarsen": DCE["measurement"]["coarsen"],
        "slice_spacing": Key(0.0, *number(0, 1, "s between slices of a 2-D readout; 0 is 3-D")),
        "frequencies": Key(1024, *number(64, 65536, "", whole=True)),
    },
}
"""Section -> key -> what it may hold. Phantom i has the vessels and the blood flow of `simulate dce`'s phantom i, seed
and sizes alike; by default its blood arrives sooner."""


def read_config(path: Path | None) -> dict[str, dict[str, Any]]:
    """The configuration of a TOML file, every key filled in (see `read_toml`)."""
    return read_toml(path, CONFIG)


def config_help() -> str:
    """The whole configuration as TOML, with what every key may hold."""
    return toml_help(CONFIG)
