"""What of the acquisition and the input QTMnet stands, and what it does not."""

from typing import Any

from blocks.words import MAIN, percent, table

WORSE, COVERING = 1.5, 0.8
"""As in `experiments.studies.comparison.sweeps`."""

PROPORTIONAL = "scale of the contrast"
"""All maps but ratios are proportional to it, whatever the estimator: no harm of QTMnet's."""


def sweeps(found: dict[str, Any]) -> str:
    stands: dict[str, list[str]] = {}
    harmed = []
    for sweep, label in dict.fromkeys((s["sweep"], s["label"]) for s in found["sweeps"]):
        both = [s for s in found["sweeps"] if (s["sweep"], s["label"]) == (sweep, label)]
        if all(_stands(s) for s in both):
            stands.setdefault(sweep, []).append(label)
        elif sweep != PROPORTIONAL:
            harmed.append(_harm(f"{sweep}: {label}", both))
    words = "; ".join(f"{sweep} {', '.join(labels)}" for sweep, labels in stands.items())
    rims = max(s["rims"] for s in found["sweeps"])
    head = ["", "QTMnet off by [%]", "in the base", "2CXM, exact input, delay", "intervals cover [%]", "marked [%]"]
    return (
        f"Swept one by one ({rims} rims of each kind of capillaries at most), QTMnet stands {words or 'nothing'}: no "
        f"error in the rim is more than {WORSE:g} times that of the base, and its intervals cover "
        f"{percent(COVERING)} % or what they covered there. It does not stand what follows, where the worst parameter "
        "of four and the least covered are named, on stirred and on plug-flow capillaries; marked are voxels that it "
        "warns of:\n" + table(head, harmed)
    )


def _stands(s: dict[str, Any]) -> bool:
    nearer = all(s["error"][p] <= WORSE * s["in_base"][p] for p in MAIN)
    return nearer and all(s["covers"][p] >= min(COVERING, s["in_base_covers"][p]) for p in MAIN)


def _harm(name: str, both: list[dict[str, Any]]) -> list[str]:
    worst = max(MAIN, key=lambda p: max(s["error"][p] / s["in_base"][p] for s in both))
    least = min(MAIN, key=lambda p: min(s["covers"][p] for s in both))
    now, before, rival = (", ".join(percent(s[k][worst]) for s in both) for k in ("error", "in_base", "rival"))
    covers, warned = ", ".join(percent(s["covers"][least]) for s in both), ", ".join(percent(s["warned"]) for s in both)
    return [name, f"{worst} {now}", before, rival, f"{least} {covers}", warned]
