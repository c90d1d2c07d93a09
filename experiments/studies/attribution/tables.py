"""What is written of where attributions point."""

from typing import Any

import numpy as np

from experiments.report.tables import Table

WAYS = {
    "frames": "chain, to the frames", "saliency": "saliency", "gradient x input": "gradient x input",
    "maps alone": "maps alone",
}  # fmt: skip
"""What is scored -> how tables call it."""

CHANCE = 0.5


def gathered(found: dict[str, Any], cause: str, chain: str) -> list[dict[str, Any]]:
    """Records of one chain for one label, of all patients that it does not refuse."""
    every = [each[cause][chain] for each in found["patients"]]
    return [each for each in every if "refused" not in each]


def chains(found: dict[str, Any]) -> list[tuple[str, str]]:
    """(cause, estimator and head) in the order of tables."""
    if not found["patients"]:
        return []
    first = found["patients"][0]
    return [(cause, name) for cause in first for name in first[cause] if name != "label"]


def localisation_table(found: dict[str, Any]) -> Table:
    """A line for each label and chain: medians over patients."""
    head = [
        "label", "chain", "patients", "refused", "gap median", "gap max", *(f"AUC, {name}" for name in WAYS.values()),
        "AUC >= .9", "share in rim", "in core", "in infiltration", "after first pass", "before contrast", "by context",
        "Shapley cosine",
    ]  # fmt: skip
    return Table(head, [_line(found, cause, name) for cause, name in chains(found)])


def _line(found: dict[str, Any], cause: str, name: str) -> list[str]:
    records = gathered(found, cause, name)
    refused = len(found["patients"]) - len(records)
    if not records:
        return [cause, name, "0", str(refused), *["-"] * 15]

    def middle(*path: str) -> str:
        return f"{np.median([_at(each, path) for each in records]):.3f}"

    gaps = [each["gap"] for each in records]
    good = sum(each["auc"]["frames"] >= 0.9 for each in records)
    context = middle("context") if "context" in records[0] else "-"
    return [
        cause, name, str(len(records)), str(refused), f"{np.median(gaps):.4f}", f"{max(gaps):.4f}",
        *(middle("auc", way) for way in WAYS), f"{good} of {len(records)}",
        *(middle("share", place) for place in ("rim", "core", "infiltration")), middle("tail"), middle("before"),
        context, middle("shapley cosine"),
    ]  # fmt: skip


def _at(record: dict[str, Any], path: tuple[str, ...]) -> float:
    for name in path:
        record = record[name]
    return float(record)  # pyright: ignore[reportArgumentType]


def findings(found: dict[str, Any]) -> list[str]:
    """Sentences written from the numbers."""
    said = []
    for cause, name in chains(found):
        records = gathered(found, cause, name)
        if not records:
            said.append(f"{name}, label {cause}: refused in all {len(found['patients'])} patients.")
            continue
        areas = [each["auc"]["frames"] for each in records]
        said.append(
            f"{name}, label {cause} of the rim: down to the frames the attribution tells the rim from what is neither "
            f"tumour nor its surroundings with AUC {np.median(areas):.2f} (median of {len(records)} patients; chance "
            f"{CHANCE}), and misses the logit's difference by {np.median([each['gap'] for each in records]):.2%}."
        )
    return said


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """The numbers worth quoting."""
    table = localisation_table(found)
    return {
        "size": found["size"], "patients": len(found["patients"]), "trained on": found["trained on"],
        "rows": [dict(zip(table.head, row, strict=True)) for row in table.rows],
    }  # fmt: skip
