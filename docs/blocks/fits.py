"""Kinetic fits: their input, model, errors and speed."""

from typing import Any

from blocks.words import MAIN, listed, percent, span, table


def automatic_input(found: dict[str, Any]) -> str:
    groups = found["measured"]["groups"]
    both, wide = groups["with and without a wide artery"], groups["with a wide artery"]
    return (
        f"In {both['scenes']} scenes of phantoms that it was not tuned on, with and without a wide artery, it warns of "
        f"{percent(both['warned_of_off'])} % of the areas measured wrong by more than a fifth, and of "
        f"{percent(both['false'])} % of those right within a tenth; its 90 % interval covers "
        f"{percent(both['covered'])} %; it refuses {percent(both['refused'])} %, nearly all without a wide artery. "
        f"Beside a wide artery {percent(wide['delivered_off'])} % of the areas are off by more than a fifth, and it "
        f"warns of {percent(wide['warned_of_off'])} % of those measured wrong: a wrong T1 does not show."
    )


FEWEST = 200
"""Intervals that a share is made of."""


def coverages(row: dict[str, Any]) -> dict[str, float]:
    """Share of 90 % intervals that hold the truth, by parameter, where enough were stated."""
    return {
        name: f["covers"]
        for name, f in row["found"].items()
        if name in MAIN and f["covers"] is not None and f["identifiable"] * row["curves"] >= FEWEST
    }


def fit_coverage(found: dict[str, Any]) -> str:
    groups = {
        "2CXM": ("2cxm", False, 0.0), "2CXM, delay fitted": ("2cxm", True, 0.0), "extended Tofts": ("etm", False, 0.0),
        "distributed parameter": ("dp", False, 0.0), "2CXM, noise correlated by 0.6": ("2cxm", False, 0.6),
        "the same, delay fitted": ("2cxm", True, 0.6),
    }  # fmt: skip
    cells = []
    for words, key in groups.items():
        rows = [r for r in found["rows"] if (r["model"], r["delay"], r["correlation"]) == key]
        shares = (span(c[name] for c in map(coverages, rows) if name in c) for name in MAIN)
        cells.append([words, f"{len(rows)} x {rows[0]['curves']:,}", *shares])
    snr, before = (listed(f"{x:g}" for x in sorted({r[key] for r in found["rows"]})) for key in ("snr", "baseline"))
    return (
        f"Signals of SNR {snr}, with {before} frames before contrast, T10 given and measured; counted where the error "
        "calls a parameter identifiable:\n" + table(["90 % intervals cover [%]", "series", *MAIN], cells)
    )


RARE = 0.005
"""Share of the voxels that no table shows."""


def model_choice(found: dict[str, Any]) -> str:
    noisy = [row for row in found["rows"] if row["noise"] > 0]
    cells = []
    for truth in dict.fromkeys(row["truth"] for row in noisy):
        rows = [row for row in noisy if row["truth"] == truth]
        others = {n: max(row["chosen"][n] for row in rows) for n in rows[0]["chosen"] if n != truth}
        instead = ", ".join(f"{n} up to {percent(share)}" for n, share in others.items() if share >= RARE)
        lost, silent = (max(row[what] for row in rows) for what in ("Ktrans below half", "of these not flagged"))
        right = ", ".join(percent(row["chosen"][truth]) for row in rows)
        cells.append([truth, right, instead, f"{percent(lost, 2)}, {percent(silent, 2)}"])
    frames = listed(f"{row['frame s']:g}" for row in noisy if row["truth"] == noisy[0]["truth"])
    clean = max(row["Ktrans below half"] for row in found["rows"] if row["noise"] == 0)
    head = ["tissue", f"chosen right, frames of {frames} s", "instead", "Ktrans below half at most, unmarked"]
    return (
        table(head, cells)
        + "\nShares [%] where noise is a fiftieth of the peak; without noise Ktrans is below half of "
        f"the truth in {percent(clean, 1)} % at most."
    )


def model_mismatch(found: dict[str, Any]) -> str:
    flow = {row["case"]: float(row["Fp error [%]"]) for row in found["rows"]}
    plug = [error for case, error in flow.items() if case.startswith("PS/Fp") and float(case.split()[1]) <= 0.5]
    return (
        f"plug-flow capillaries make it overestimate Fp by {min(plug):.0f} to {max(plug):.0f} % at PS/Fp 0.1 to 0.5, "
        f"and 4 s of dispersion that nobody models hide {-flow['global input']:.0f} % of it "
        f"({-flow['global input, delay fitted']:.0f} % where a delay is fitted)"
    )


def kinetic_fit(found: dict[str, Any], delayed: dict[str, Any]) -> str:
    own, fit = found["tracerflow"], delayed["tracerflow"]
    bound = (own[f"median error {n} %"] / own[f"{n}: median error / bound"] for n in MAIN)
    rows = [
        ["Cramér-Rao bound", "", " / ".join(f"{x:.2g}" for x in bound) + " %", "", "", ""],
        _row("tracerflow", own),
        _row("... with the delay fitted", fit, f"; delay {fit['delay: median error s (dt 2 s)']:.2f} s"),
    ]
    curves, spacings = int(found["options"]["curves"]), 3
    theirs = spacings * int(found["options"]["rival_curves"])
    names = {
        "tracerflow, same curves": f"... on the rivals' {theirs} curves",
        "dcmri + scipy curve_fit": "dcmri with scipy's curve_fit, one process",
        "the same from the truth (what least squares can do)": "the same, started from the truth",
        "linear least squares": "linear least squares",
    }
    rows += [_row(words, found[name]) for name, words in names.items() if name in found]
    head = ["2CXM fit", "voxels/s", f"median error {' / '.join(MAIN)}", "at the optimum"]
    covers = listed(f"{own[f'90 % interval of {n} covers %']:.0f} % of {n}" for n in MAIN)
    return (
        f"One run on two cores in float32: {curves:,} curves with Fp 5 to 100 and PS 0.5 to 30 mL/100 mL/min, vp 0.01 "
        "to 0.15, ve 0.05 to 0.5, SNR 20 to 100, frames of 1.5 to 2.5 s:\n"
        + table([*head, "Fp, PS or vp off by more than 2x", "non-physical"], rows)
        + f"\nCompiling the fit once takes {own['compile s']:.0f} s ({fit['compile s']:.0f} s with delay). Where a "
        f"parameter is identifiable, 90 % intervals cover {covers}."
    )


def _row(name: str, figures: dict[str, Any], more: str = "") -> list[str]:
    speed = f"{figures['voxels/s']:,.0f}" if "voxels/s" in figures else ""
    errors = " / ".join(f"{figures[f'median error {n} %']:.2g}" for n in MAIN) + f" %{more}"
    shares = (figures[f"{n} %"] for n in ("at the optimum", "Fp, PS or vp off by > 2x", "non-physical"))
    return [name, speed, errors, *(f"{x:.3g} %" for x in shares)]
