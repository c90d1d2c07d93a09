"""Write the README's figures from committed results: python docs/readme.py

What stands between `<!-- results: NAME -->` and `<!-- end -->` is written by the function NAME of `BLOCKS` from the
files in docs/results, which the commands beside each name there have written. A block whose files are not there yet is
left as it is. README.md is what this command writes: a test says so.
"""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
RESULTS = HERE / "results"

GENERATORS = {"stirred (2CXM)": "stirred capillaries", "plug flow": "plug flow"}
FLOOR = "matched model, true local input, arterial volume"
MAIN = ("Fp", "PS", "vp", "ve")
RIM = "tumour rim"
WORSE, COVERING = 1.5, 0.8
"""As in `experiments.studies.comparison.sweeps`."""


class Block(NamedTuple):
    """files : in docs/results, by the command that writes each.      write : their contents -> what stands there."""

    files: dict[str, str]
    write: Callable[..., str]


def percent(x: float, digits: int = 0) -> str:
    return f"{100 * x:.{digits}f}"


def listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


# -- the automatic input ----------------------------------------------------------------------------------


def automatic_input(found: dict[str, Any]) -> str:
    groups = found["measured"]["groups"]
    both, wide = groups["with and without a wide artery"], groups["with a wide artery"]
    return (
        f"In {both['scenes']} scenes of phantoms that it was not tuned on, with and without a wide artery, it warns of "
        f"{percent(both['warned_of_off'])} % of the areas measured wrong by more than a fifth, and of "
        f"{percent(both['false'])} % of those right within a tenth; its 90 % interval covers "
        f"{percent(both['covered'])} %; it refuses {percent(both['refused'])} %, nearly all without a wide artery. "
        "Beside a wide artery "
        f"{percent(wide['delivered_off'])} % of the areas are off by more than a fifth, and it warns of "
        f"{percent(wide['warned_of_off'])} % of those measured wrong: a wrong T1 does not show."
    )


# -- errors and models of fits --------------------------------------------------------------------------------

FEWEST = 200
"""Intervals that a share is made of."""


def fit_coverage(found: dict[str, Any]) -> str:
    groups = {
        "2CXM": ("2cxm", False, 0.0), "2CXM, delay fitted": ("2cxm", True, 0.0), "extended Tofts": ("etm", False, 0.0),
        "distributed parameter": ("dp", False, 0.0), "2CXM, noise correlated by .6": ("2cxm", False, 0.6),
        "the same, delay fitted": ("2cxm", True, 0.6),
    }  # fmt: skip
    lines = [f"| 90 % intervals cover [%] | series | {' | '.join(MAIN)} |", "|---|---|---|---|---|---|"]
    for words, key in groups.items():
        rows = [r for r in found["rows"] if (r["model"], r["delay"], r["correlation"]) == key]
        cells = [_range([(r["found"][n], r["curves"]) for r in rows if n in r["found"]]) for n in MAIN]
        lines.append(f"| {words} | {len(rows)} x {rows[0]['curves']:,} | {' | '.join(cells)} |")
    water = {
        name: listed(
            f"{percent(r['found'][name]['covers'])} (of {percent(r['found'][name]['identifiable'])} % of the voxels)"
            for r in found["water"]
        )
        for name in ("CBF", "ATT")
    }
    settings = listed(f"{r['pairs']} pairs at SNR {r['snr']:g}" for r in found["water"])
    return (
        "\n"
        + "\n".join(lines)
        + "\n\nOn signals of SNR 20 and 50, with 5, 10 and 29 frames before contrast, T10 given "
        "and measured, where the error calls a parameter identifiable. Labelled water at six delays, "
        f"{settings} of M0: CBF {water['CBF']}; ATT {water['ATT']}.\n"
    )


def _range(cells: list[tuple[dict[str, Any], int]]) -> str:
    shares = [f["covers"] for f, curves in cells if f["covers"] is not None and f["identifiable"] * curves >= FEWEST]
    if not shares:
        return ""
    low, high = percent(min(shares)), percent(max(shares))
    return low if low == high else f"{low} to {high}"


def model_choice(found: dict[str, Any]) -> str:
    names = list(found["rows"][0]["chosen"])
    head = ["tissue", "frames", *names, "Ktrans below half, unmarked"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in (r for r in found["rows"] if r["noise"] > 0):
        chosen = " | ".join(percent(row["chosen"][n]) for n in names)
        lost = f"{percent(row['Ktrans below half'], 2)}, {percent(row['of these not flagged'], 2)} %"
        lines.append(f"| {row['truth']} | {row['frame s']:g} s | {chosen} | {lost} |")
    clean = max(r["Ktrans below half"] for r in found["rows"] if r["noise"] == 0)
    return (
        "\n"
        + "\n".join(lines)
        + "\n\nHow often [%] which model is chosen where noise is a fiftieth of the peak; without "
        f"noise Ktrans is below half of the truth in {percent(clean, 1)} % at most.\n"
    )


# -- QTMnet -----------------------------------------------------------------------------------------------


def accuracy(found: dict[str, Any]) -> str:
    parts = []
    for generator, words in GENERATORS.items():
        errors = found["errors"][generator]["QTMnet"]
        numbers = listed(f"{percent(errors[p][0])} % in {p}" for p in MAIN)
        parts.append(f"in {found['rims'][generator]} rims of {words} {numbers}")
    against = [found["ratios"][generator][FLOOR] for generator in GENERATORS]
    ratios = listed(f"{' and '.join(f'{r[p][0]:.2f}' for r in against)} in {p}" for p in MAIN)
    return (
        f"Where the input's area is known, the median error is {', '.join(parts)}. Against fits that are told the true "
        f"model and what truly feeds every voxel, on the same phantoms, the ratio of errors is {ratios}."
    )


def coverage(found: dict[str, Any]) -> str:
    covers = found["coverage"]
    shares = listed(f"{percent(mean)} % of {p}" for p, (mean, *_) in covers.items())
    sure = max((high - low) / 2 for _, low, high, _ in covers.values())
    return (
        f"In {next(iter(covers.values()))[3]} rims that neither training nor calibration saw, its 90 % intervals cover "
        f"{shares} (each give or take {percent(sure)} % at most)."
    )


def feed(found: dict[str, Any]) -> str:
    halves = [found["feed"][g] for g in GENERATORS if g in found["feed"]]
    kept, sharp, spread = (
        " and ".join(percent(x) for x in values)
        for values in ([1 - f["lost"] for f in halves], [f["sharp"] for f in halves], [f["spread"] for f in halves])
    )
    return (
        f"What is left in Fp is mostly the bolus: in the half of the rims whose bolus kept {kept} % of its peak and "
        f"more on its way the error is {sharp} %, in the other {spread} %."
    )


def marked(found: dict[str, Any], calibrated: dict[str, Any]) -> str:
    (familiar, of_familiar), (unseen, of_unseen) = (found["marked"][k] for k in ("familiar", "unseen injection"))
    promised = calibrated["contrast"]["limits"]["of calibration"]
    return (
        f"Of {of_unseen} scans with an infusion of 15 to 60 s, unlike any in training or calibration, {unseen:g} are "
        f"marked, and {familiar:g} of {of_familiar} with an injection as in training; the limit is one that "
        f"{percent(promised['alarms'])} % of familiar scans of calibration phantoms pass, and "
        f"{percent(promised['found'])} % of theirs with an injection two to four times as slow as any in training."
    )


PROPORTIONAL = "scale of the contrast"
"""All maps but ratios are proportional to it, whatever the estimator: no harm of QTMnet's."""


def sweeps(found: dict[str, Any]) -> str:
    stands: dict[str, list[str]] = {}
    harmed = ["| | QTMnet off by [%] | in the base | 2CXM, exact input, delay | intervals cover [%] | marked [%] |"]
    harmed += ["|---|---|---|---|---|---|"]
    for sweep, label in dict.fromkeys((s["sweep"], s["label"]) for s in found["sweeps"]):
        both = [s for s in found["sweeps"] if (s["sweep"], s["label"]) == (sweep, label)]
        if all(_stands(s) for s in both):
            stands.setdefault(sweep, []).append(label)
        elif sweep != PROPORTIONAL:
            harmed.append(_harm(f"{sweep}: {label}", both))
    words = "; ".join(f"{sweep} {', '.join(labels)}" for sweep, labels in stands.items())
    rims = max(s["rims"] for s in found["sweeps"])
    return (
        f"Swept one by one ({rims} rims of each kind of capillaries at most), QTMnet stands {words or 'nothing'}: no "
        f"error in the rim is more than {WORSE:g} times that of the base, and its intervals cover "
        f"{percent(COVERING)} % or what they covered there. It does not stand what follows, where the worst parameter "
        "of four and the least covered are named, on stirred and on plug-flow capillaries; marked are voxels that it "
        "warns of:\n\n" + "\n".join(harmed) + "\n"
    )


def _stands(s: dict[str, Any]) -> bool:
    nearer = all(s["error"][p] <= WORSE * s["in_base"][p] for p in MAIN)
    return nearer and all(s["covers"][p] >= min(COVERING, s["in_base_covers"][p]) for p in MAIN)


def _harm(name: str, both: list[dict[str, Any]]) -> str:
    worst = max(MAIN, key=lambda p: max(s["error"][p] / s["in_base"][p] for s in both))
    least = min(MAIN, key=lambda p: min(s["covers"][p] for s in both))
    now, before, rival = (", ".join(percent(s[k][worst]) for s in both) for k in ("error", "in_base", "rival"))
    covers, warned = ", ".join(percent(s["covers"][least]) for s in both), ", ".join(percent(s["warned"]) for s in both)
    return f"| {name} | {worst} {now} | {before} | {rival} | {least} {covers} | {warned} |"


def ranks(found: dict[str, Any]) -> str:
    lines = ["| of the truths in intervals of | 50 | 68 | 80 | 90 | 95 % |", "|---|---|---|---|---|---|"]
    shown = (("contrast", "Fp"), ("contrast", "PS"), ("contrast", "vp"), ("contrast", "ve"), ("water", "CBF"))
    for tracer, quantity in (*shown, ("water", "ATT")):
        for region, result in found[tracer]["quantities"][quantity].items():
            cells = [percent(mean) for mean, *_ in result["coverage"].values()]
            lines.append(f"| {quantity}, {region} ({result['phantoms']} phantoms) | {' | '.join(cells)} |")
    return "\n" + "\n".join(lines) + "\n"


# -- spin labelling -----------------------------------------------------------------------------------------


def joint(found: dict[str, Any]) -> str:
    table = {(r["way"], r["region"], r["parameter"]): r for r in found["rows"]}
    regions = (RIM, "grey matter", "white matter")
    scales = {"white paper, PLD 2 s": "asl, white paper", "multi-delay, recommended": "asl, multi-delay"}
    head = ["six delays of 0.5 to 3 s", *regions, "the scale it gives DCE is off by"]
    lines = [f"| {' | '.join(head)} |", "|---|---|---|---|---|"]
    for way in ("white paper, PLD 2 s", "multi-delay, recommended", "multi-delay, gkm", "QTMnet"):
        cells = []
        for region in regions:
            att = table.get((way, region, "ATT"))
            cells.append(f"{table[way, region, 'CBF']['error']:.2f}" + (f"; {att['error']:.2f} s" if att else ""))
        scale = table.get((scales.get(way, f"asl, {way}"), "all", "scale"))
        off = f"{scale['error']:.2f}" if scale else ""
        lines.append(f"| {way} | {' | '.join(cells)} | {off} |")
    known, usual = (table[way, "all", "scale"]["error"] for way in ("asl, true CBF", "population"))
    lines.append(f"| true CBF; population | | | | {known:.2f}; {usual:.2f} |")
    covers = [
        listed(percent(table["QTMnet", region, name]["coverage"]) for region in regions) for name in ("CBF", "ATT")
    ]
    low = -table["QTMnet", RIM, "CBF"]["bias"]
    return (
        "\n" + "\n".join(lines) + f"\n\nQTMnet's 90 % intervals cover {covers[0]} % of CBF and {covers[1]} % of ATT "
        f"there; CBF of rims, whose label arrives last, is read {percent(low)} % low."
    )


# -- speed --------------------------------------------------------------------------------------------------


def kinetic_fit(found: dict[str, Any], delayed: dict[str, Any]) -> str:
    def errors(figures: dict[str, Any]) -> str:
        return " / ".join(f"{figures[f'median error {n} %']:.2g}" for n in MAIN) + " %"

    def row(name: str, figures: dict[str, Any], more: str = "") -> str:
        speed = f"{figures['voxels/s']:,.0f}" if "voxels/s" in figures else ""
        shares = [figures[f"{n} %"] for n in ("at the optimum", "Fp, PS or vp off by > 2x", "non-physical")]
        return f"| {name} | {speed} | {errors(figures)}{more} | {' | '.join(f'{x:.3g} %' for x in shares)} |"

    own = found["tracerflow"]
    bound = [own[f"median error {n} %"] / own[f"{n}: median error / bound"] for n in MAIN]
    fit = delayed["tracerflow"]
    lines = [
        "| 2CXM fit | voxels/s | median error Fp / PS / vp / ve | at the optimum | Fp, PS or vp off by more than 2x |"
        " non-physical |",
        "|---|---|---|---|---|---|",
        f"| Cramér-Rao bound | | {' / '.join(f'{x:.2g}' for x in bound)} % | | | |",
        row("tracerflow", own),
        row("... with the delay fitted", fit, f"; delay {fit['delay: median error s (dt 2 s)']:.2f} s"),
    ]
    names = {
        "tracerflow, same curves": "... on the rivals' 600 curves",
        "dcmri + scipy curve_fit": "dcmri with scipy's curve_fit, one process",
        "the same from the truth (what least squares can do)": "the same, started from the truth",
        "linear least squares": "linear least squares",
    }
    lines += [row(words, found[name]) for name, words in names.items() if name in found]
    covers = listed(f"{own[f'90 % interval of {n} covers %']:.0f} % of {n}" for n in MAIN)
    return (
        "\n" + "\n".join(lines) + f"\n\nCompiling the fit once takes {own['compile s']:.0f} s "
        f"({fit['compile s']:.0f} s with delay). Where a parameter is identifiable, 90 % intervals cover {covers}."
    )


BLOCKS = {
    "accuracy": Block({"qtmnet-vs-2cxm": "tracerflow experiment qtmnet-vs-2cxm --config paper"}, accuracy),
    "coverage": Block({"qtmnet-vs-2cxm": "tracerflow experiment qtmnet-vs-2cxm --config paper"}, coverage),
    "feed": Block({"qtmnet-vs-2cxm": "tracerflow experiment qtmnet-vs-2cxm --config paper"}, feed),
    "marked": Block(
        {
            "qtmnet-vs-2cxm": "tracerflow experiment qtmnet-vs-2cxm --config paper",
            "network-calibration": "tracerflow experiment network-calibration",
        },
        marked,
    ),
    "sweeps": Block({"qtmnet-vs-2cxm": "tracerflow experiment qtmnet-vs-2cxm --config paper"}, sweeps),
    "ranks": Block({"network-calibration": "tracerflow experiment network-calibration"}, ranks),
    "fit-coverage": Block({"fit-coverage": "python tests/benchmarks/bench_coverage.py --json FILE"}, fit_coverage),
    "model-choice": Block({"model-choice": "python tests/benchmarks/bench_model_choice.py --json FILE"}, model_choice),
    "automatic-input": Block({"aif_finder": "python tests/benchmarks/bench_aif.py --json FILE"}, automatic_input),
    "joint": Block({"joint-dce-asl": "tracerflow experiment joint-dce-asl --config paper"}, joint),
    "kinetic-fit": Block(
        {
            "kinetic-fit": "python tests/benchmarks/bench_kinetic_fit.py --json FILE",
            "kinetic-fit-delay": "python tests/benchmarks/bench_kinetic_fit.py --delay --json FILE",
        },
        kinetic_fit,
    ),
}
"""By the name in README.md. An experiment's file is the summary.json of its folder."""

_PLACE = re.compile(r"(<!-- results: ([\w-]+) -->)(.*?)(<!-- end -->)", re.DOTALL)


def written(text: str, results: dict[str, Any]) -> str:
    """The README with every block written of whose results all are there. results : contents by file."""
    names = [name for _, name, *_ in _PLACE.findall(text)]
    if sorted(names) != sorted(BLOCKS):
        raise ValueError(f"README.md has the blocks {sorted(names)}, and {sorted(BLOCKS)} can be written")

    def fill(place: re.Match[str]) -> str:
        begin, name, there, end = place.groups()
        block = BLOCKS[name]
        known = all(file in results for file in block.files)
        return begin + (block.write(*(results[f] for f in block.files)) if known else there) + end

    return _PLACE.sub(fill, text)


def committed() -> dict[str, Any]:
    """Contents of docs/results by file."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}


if __name__ == "__main__":
    README.write_text(written(README.read_text(), committed()))
