"""How a training went."""

from typing import Any

from matplotlib.figure import Figure

QUANTITIES = {"Fp": "Fp", "PS": "PS", "vp": "vp", "ve": "ve", "CBF": "CBF", "ATT": "ATT, mean |error| [s]"}
"""Those that are shown, where a network has them, and in what words."""


def training_figure(log: list[dict[str, Any]]) -> Figure:
    """Loss and validation loss over steps; validation errors of the main parameters (ATT's in s)."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([line["step"] for line in log], [line["loss"] for line in log], label="training")
    checked = [line for line in log if "validation loss" in line]
    steps = [line["step"] for line in checked]
    left.plot(steps, [line["validation loss"] for line in checked], "o-", ms=3, label="validation")
    values = sorted(line["loss"] for line in log)
    left.set_ylim(values[0] - 0.1, values[int(0.9 * (len(values) - 1))] + 0.3)
    left.set(xlabel="step", ylabel="negative log-likelihood")
    left.legend()
    for name in (n for n in QUANTITIES if f"validation {n}" in log[-1]):
        right.plot(steps, [line[f"validation {name}"] for line in checked], "o-", ms=3, label=QUANTITIES[name])
    right.set(xlabel="step", ylabel="mean |log error|, validation", ylim=(0, None))
    right.legend()
    return figure
