"""What `tracerflow train qtmnet` and `qtmnet-asl` can be told, in a TOML file: every key, default, unit and range."""

from pathlib import Path
from typing import Any

from experiments.config.toml import Key, Sections, number, read_toml, several, switch, toml_help
from simulate.base.errors import InputError

CONFIG: Sections = {
    "": {
        "seed": Key(0, *number(0, 2**31 - 1, "", whole=True)),
    },
    "phantoms": {
        "seed": Key(0, *number(0, 2**31 - 1, "", whole=True)),
        "train": Key(2000, *number(1, 1_000_000, "", whole=True)),
        "validate": Key(32, *number(1, 100_000, "", whole=True)),
        "calibrate": Key(384, *number(1, 100_000, "", whole=True)),
        "side": Key(16, *number(8, 64, "voxels", whole=True)),
        "rough": Key(3.0, *number(1, 10, "times the texture of tissue in training, at most")),
        "terminals": Key(2000, *number(8, 1_000_000, "", whole=True)),
    },
    "network": {
        "encoder": Key(96, *number(8, 1024, "channels", whole=True)),
        "blocks": Key(2, *number(1, 16, "per round", whole=True)),
        "heads": Key(4, *number(1, 64, "of attention", whole=True)),
        "context": Key(128, *number(8, 1024, "channels", whole=True)),
        "rounds": Key(2, *number(0, 4, "of context; 0 sees single voxels only", whole=True)),
        "decoder": Key(128, *number(8, 1024, "channels", whole=True)),
        "branch": Key([24, 48, 64], *several(4, 512, "channels", whole=True, count=None)),
        "told": Key(False, *switch("give it the arterial input, for comparison")),
    },
    "sets": {
        "steps": Key(6000, *number(1, 100_000_000, "", whole=True)),
        "scans": Key(64, *number(1, 4096, "a step", whole=True)),
        "voxels": Key(160, *number(16, 1_000_000, "a scan", whole=True)),
        "learning_rate": Key(0.015, *number(1e-6, 1, "")),
    },
    "patches": {
        "steps": Key(4000, *number(0, 100_000_000, "; 0 leaves the branch untrained and unused", whole=True)),
        "scans": Key(24, *number(1, 4096, "a step", whole=True)),
        "side": Key(8, *number(4, 64, "voxels", whole=True)),
        "beside": Key(128, *number(0, 1_000_000, "voxels from elsewhere", whole=True)),
        "learning_rate": Key(0.008, *number(1e-6, 1, "")),
    },
    "rhythm": {
        "log": Key(50, *number(1, 1_000_000, "steps", whole=True)),
        "validate": Key(500, *number(1, 1_000_000, "steps", whole=True)),
        "checkpoint": Key(500, *number(1, 1_000_000, "steps", whole=True)),
        "average": Key(0.998, *number(0, 0.99999, "of the averaged weights, kept per step")),
    },
}
"""Section -> key -> what it may hold. An empty `branch` makes a network without neighbourhood."""

_OF_WATER: dict[str, dict[str, Any]] = {
    "phantoms": {"train": 1000},
    "network": {"encoder": 64, "context": 64, "decoder": 96, "branch": [24, 32, 48]},
    "sets": {"steps": 4000, "scans": 64, "voxels": 160},
    "patches": {"steps": 2500},
}
"""Where the defaults of the network for labelled water are others: it has fewer numbers to read."""


def _with_defaults(sections: Sections, others: dict[str, dict[str, Any]]) -> Sections:
    return {
        section: {
            name: key._replace(default=others.get(section, {}).get(name, key.default))
            for name, key in keys.items() if section != "network" or name != "told"
        } for section, keys in sections.items()
    }  # fmt: skip


CONFIGS: dict[str, Sections] = {"contrast": CONFIG, "water": _with_defaults(CONFIG, _OF_WATER)}
"""By tracer."""


def read_config(path: Path | None, tracer: str = "contrast") -> dict[str, dict[str, Any]]:
    """The configuration of a TOML file, every key filled in (see `read_toml`).

    Raises InputError also where keys do not go together.
    """
    config = read_toml(path, CONFIGS[tracer])
    where = path or Path("defaults")
    rhythm, patches = config["rhythm"], config["patches"]
    for name in ("validate", "checkpoint"):
        if rhythm[name] % rhythm["log"]:
            raise InputError(
                where, f"rhythm.{name}", f"is {rhythm[name]}", f"give a multiple of rhythm.log {rhythm['log']}"
            )
    if config["network"]["branch"] and (patches["side"] % 4 or patches["side"] > config["phantoms"]["side"]):
        raise InputError(where, "patches.side", f"is {patches['side']}", "give a multiple of 4 within phantoms.side")
    if config["network"]["branch"] and len(config["network"]["branch"]) != 3:
        raise InputError(where, "network.branch", "has not three scales", "give three numbers of channels, or none")
    return config


def config_help(tracer: str = "contrast") -> str:
    """The whole configuration as TOML, with what every key may hold."""
    return toml_help(CONFIGS[tracer])
