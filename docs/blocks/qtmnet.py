"""How right QTMnet is, and how far it knows."""

from typing import Any

from blocks.words import GENERATORS, MAIN, listed, percent, span, table

FLOOR = "matched model, true local input, arterial volume"


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


def scales(found: dict[str, Any]) -> str:
    ways = {"true area": "QTMnet", "vessels": "QTMnet, vessels scale", "population": "QTMnet, population scale"}
    rims = [found["errors"][generator] for generator in GENERATORS]
    rows = [[words, *(span(rim[way][p][0] for rim in rims) for p in MAIN)] for words, way in ways.items()]
    return table(["median error in tumour rims [%], by scale", *MAIN], rows)


def dispersion(found: dict[str, Any]) -> str:
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


def ranks(found: dict[str, Any]) -> str:
    shown = (("contrast", MAIN), ("water", ("CBF", "ATT")))
    rows = [
        [f"{name}, {region} ({result['phantoms']} phantoms)", *(percent(m) for m, *_ in result["coverage"].values())]
        for tracer, names in shown
        for name in names
        for region, result in found[tracer]["quantities"][name].items()
    ]
    return table(["of the truths in intervals of", "50", "68", "80", "90", "95 %"], rows)
