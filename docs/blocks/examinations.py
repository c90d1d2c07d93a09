"""Labelled water, and the simulator's own results."""

from typing import Any

from blocks.words import RIM, listed, percent, table


def water_coverage(found: dict[str, Any]) -> str:
    rows = [
        [
            f"{row['snr']:g}",
            str(row["pairs"]),
            *(
                f"{percent(f['covers'])} (of {percent(f['identifiable'])} % of the voxels)"
                for f in row["found"].values()
            ),
        ]
        for row in found["water"]
    ]
    return table(["SNR of M0", "pairs at a delay", *(f"{name} [%]" for name in found["water"][0]["found"])], rows)


def joint(found: dict[str, Any]) -> str:
    results = {(r["way"], r["region"], r["parameter"]): r for r in found["rows"]}
    regions = (RIM, "grey matter", "white matter")
    scales = {"white paper, PLD 2 s": "asl, white paper", "multi-delay, recommended": "asl, multi-delay"}
    rows = []
    for way in ("white paper, PLD 2 s", "multi-delay, recommended", "multi-delay, gkm", "QTMnet"):
        cells = []
        for region in regions:
            att = results.get((way, region, "ATT"))
            cells.append(f"{results[way, region, 'CBF']['error']:.2f}" + (f"; {att['error']:.2f} s" if att else ""))
        scale = results.get((scales.get(way, f"asl, {way}"), "all", "scale"))
        rows.append([way, *cells, f"{scale['error']:.2f}" if scale else ""])
    known, usual = (results[way, "all", "scale"]["error"] for way in ("asl, true CBF", "population"))
    rows.append(["true CBF; population", "", "", "", f"{known:.2f}; {usual:.2f}"])
    covers = [
        listed(percent(results["QTMnet", region, name]["coverage"]) for region in regions) for name in ("CBF", "ATT")
    ]
    low = -results["QTMnet", RIM, "CBF"]["bias"]
    count = results["QTMnet", RIM, "CBF"]["phantoms"]
    return (
        f"On {count} glioblastomas, median |ln(estimate/truth)| of CBF and median error of ATT:\n"
        + table(["six delays of 0.5 to 3 s", *regions, "the scale it gives DCE is off by"], rows)
        + f"\nQTMnet's 90 % intervals cover {covers[0]} % of CBF and {covers[1]} % of ATT there; CBF of rims, whose "
        f"label arrives last, is read {percent(low)} % low."
    )


def core_filling(found: dict[str, Any]) -> str:
    rim, outer, *_, deep = found["rows"]
    half = "half-time [s]"
    return (
        f"Half of the last value is reached after {rim[half]} s in the rim, after {outer[half]} s in the core's outer "
        f"layer ({_depth(outer)}) and after {deep[half]} s at {_depth(deep)}; without diffusion the core stays empty."
    )


def _depth(row: dict[str, str]) -> str:
    return row["place"].removeprefix("core, ").replace("-", " to ")
