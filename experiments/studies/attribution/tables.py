"""What the study found, as sentences, tables and a summary."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from classify.statistics.delong import auc
from experiments.report.tables import Table
from experiments.studies.attribution.explained import CHAIN, ELSEWHERE, FRAMES, MAPS, METHODS, PLACES
from experiments.studies.attribution.heads import LINEAR, NETWORK
from experiments.studies.attribution.measured import ESTIMATORS, PARAMETERS
from experiments.studies.attribution.patients import RULES
from experiments.studies.attribution.randomised import ATTRIBUTIONS
from experiments.studies.attribution.rows import Found, Row, values
from experiments.studies.shipped import shipped_checksums

HIGH = 0.9
"""AUC that is counted."""

LEVELS = ("logit", "features", "voxels")


def findings(found: Found) -> list[str]:
    """Sentences written from the numbers."""
    sentences = []
    for estimator in ESTIMATORS:
        for head in LINEAR:
            parts = []
            for rule in RULES:
                x = values(found.of(rule, estimator, head), "auc", FRAMES, CHAIN)
                parts.append(f"{rule} {np.median(x):.2f}, at least {HIGH} in {int((x >= HIGH).sum())} of {len(x)}")
            sentences.append(
                f"Rim against tissue outside the tumour by the frames' parts, {estimator}, {head}: median AUC "
                f"{'; '.join(parts)} (chance .5)."
            )
    for estimator in ESTIMATORS:
        tails = [np.nanmedian(values(_linear(found, rule, estimator), "tail")) for rule in RULES]
        sentences.append(
            f"Share of the frames' parts after the first pass, {estimator}, linear heads: "
            + ", ".join(f"{rule} {share:.2f}" for rule, share in zip(RULES, tails, strict=True)) + "."
        )  # fmt: skip
    gap = {
        e: max(values(found.of(*c), "gap").max(initial=0.0) for c in found.chains() if c[1] == e) for e in ESTIMATORS
    }
    sentences.append("Largest gap: " + ", ".join(f"{e} {100 * g:.2f} %" for e, g in gap.items()) + ".")
    return sentences


def _linear(found: Found, rule: str, estimator: str) -> list[Row]:
    return [row for head in LINEAR for row in found.of(rule, estimator, head)]


def tables(found: Found) -> dict[str, Table]:
    """Of every chain; of where it points by method; of every patient."""
    return {
        "": _chains(found), "methods": _methods(found), "patients": _patients(found), "errors": _errors(found),
        "randomised": _randomised(found),
    }  # fmt: skip


def _chains(found: Found) -> Table:
    places = (*PLACES, ELSEWHERE)
    head = ["rule", "estimator", "head", "patients", "refused", "head's AUC", "median AUC of the rim", "of the truth",
            f"AUC >= {HIGH}", "largest gap %", "levels differ by", "voxels excluded", "rim's weight",
            *(f"in {p}" for p in places), *(f"of {p}" for p in PARAMETERS), "tail", "by context", "Shapley cosine",
            "least"]  # fmt: skip
    rows = []
    for chain in found.chains():
        there = found.of(*chain)
        x, cosine = values(there, "auc", FRAMES, CHAIN), values(there, "Shapley cosine")
        cells = [
            str(len(there)), str(found.refused(*chain)), _number(head_auc(found, chain)), _median(x),
            _median(np.asarray([row.true_map for row in there])), str(int((x >= HIGH).sum())),
            f"{100 * values(there, 'gap').max(initial=0.0):.3f}", f"{values(there, 'levels').max(initial=0.0):.1e}",
            _median(values(there, "excluded")), _median(values(there, "weight of the rim")),
            *(_median(values(there, "energy", p)) for p in places),
            *(_median(values(there, "parameters", p)) for p in PARAMETERS), _median(values(there, "tail")),
            _median(values(there, "context")), _median(cosine), _number(cosine.min(initial=1.0)),
        ]  # fmt: skip
        rows.append([*chain, *cells])
    return Table(head, rows)


def head_auc(found: Found, chain: tuple[str, str, str]) -> float:
    """Of the head's logit for the rule's label, on the patients that are explained."""
    there = found.of(*chain)
    labels = np.asarray([row.cause > found.limits[chain[0]] for row in there])
    return float(auc(labels, values(there, "logit"))[0]) if 0 < labels.sum() < len(labels) else float("nan")


def _methods(found: Found) -> Table:
    head = ["rule", "estimator", "head", "level", "method", "median AUC", "5 %", "95 %", "patients"]
    rows = []
    for chain in found.chains():
        for level in (FRAMES, MAPS):
            for method in METHODS:
                x = values(found.of(*chain), "auc", level, method)
                if np.isfinite(x).any():
                    numbers = [f"{np.nanpercentile(x, q):.3f}" for q in (50, 5, 95)]
                    rows.append([*chain, level, method, *numbers, str(int(np.isfinite(x).sum()))])
    return Table(head, rows)


def _errors(found: Found) -> Table:
    """Mean over the patients that were scanned again."""
    held = [f"90 % intervals hold, {level}" for level in LEVELS]
    rows = []
    for chain in dict.fromkeys((each.estimator, each.head) for each in found.errors):
        there = [each for each in found.errors if (each.estimator, each.head) == chain]
        shares = [np.mean([each.covered.get(level, np.nan) for each in there]) for level in LEVELS]
        ratio = np.sqrt(np.mean([each.ratio**2 for each in there]))
        rows.append([*chain, *(_number(float(x)) for x in (*shares, ratio)), str(len(there))])
    return Table(["estimator", "head", *held, "logit's scatter over its error", "patients"], rows)


def _randomised(found: Found) -> Table:
    """Of networks alone: what outlives the weights."""
    rows = []
    for chain in found.chains():
        there = [row for row in found.of(*chain) if row.scores["randomised"]]
        for name in ATTRIBUTIONS if there else ():
            x = [values(there, "randomised", name, what) for what in ("mean", "all destroyed", "input", "chance")]
            rows.append([*chain[:2], name, *(_number(float(np.mean(each))) for each in x), str(len(there))])
    numbers = ("mean |Spearman|", "all destroyed", "with the input", "chance", "patients")
    return Table(["rule", "estimator", "attribution", *numbers], rows)


def _patients(found: Found) -> Table:
    head = [
        "patient",
        "rule",
        "estimator",
        "head",
        "cause",
        "delta",
        "gap %",
        "AUC",
        "tail",
        "Shapley cosine",
        "refused",
    ]
    rows = []
    for row in found.rows:
        s: Mapping[str, Any] = row.scores
        numbers = [""] * 5 if row.refused else [
            f"{s['delta']:.3f}", f"{100 * s['gap']:.3f}", f"{s['auc'][FRAMES][CHAIN]:.3f}", f"{s['tail']:.3f}",
            f"{s['Shapley cosine']:.3f}",
        ]  # fmt: skip
        rows.append(
            [str(row.patient), row.rule, row.estimator, row.head, f"{row.cause:.2f}", *numbers, s.get("refused", "")]
        )
    return Table(head, rows)


def summary(found: Found) -> dict[str, Any]:
    """Of every chain what the tables say of it, as numbers; the rules' limits, and the weights that they are of."""
    return {
        "weights": shipped_checksums(), "limits": dict(found.limits), "errors": [row._asdict() for row in found.errors],
        "chains": [_chain(found, chain) for chain in found.chains()],
    }  # fmt: skip


def _chain(found: Found, chain: tuple[str, str, str]) -> dict[str, Any]:
    there = found.of(*chain)
    scores = {
        (level, method): x
        for level in (FRAMES, MAPS)
        for method in METHODS
        if np.isfinite(x := values(there, "auc", level, method)).any()
    }
    medians = {
        name: float(np.median(values(there, *path)))
        for name, path in {
            "tail": ("tail",), "Shapley cosine": ("Shapley cosine",), "weight of the rim": ("weight of the rim",),
            "excluded": ("excluded",), "context": ("context",),
            **{f"in {p}": ("energy", p) for p in (*PLACES, ELSEWHERE)},
            **{f"of {p}": ("parameters", p) for p in PARAMETERS},
        }.items()
    }  # fmt: skip
    left = {
        name: float(np.mean(values(there, "randomised", name, "mean")))
        for name in ATTRIBUTIONS if chain[2] == NETWORK
    }  # fmt: skip
    return {
        "rule": chain[0], "estimator": chain[1], "head": chain[2], "patients": len(there),
        "refused": found.refused(*chain), "head's AUC": head_auc(found, chain),
        "AUC of the true map": float(np.median([row.true_map for row in there])),
        "least Shapley cosine": float(values(there, "Shapley cosine").min(initial=1.0)),
        "largest gap": float(values(there, "gap").max(initial=0.0)), **medians, "randomised": left,
        "auc": [
            {"level": level, "method": method, "median": float(np.median(x)), "high": int((x >= HIGH).sum())}
            for (level, method), x in scores.items()
        ],
    }  # fmt: skip


def _median(x: np.ndarray) -> str:
    return _number(float(np.nanmedian(x)) if np.isfinite(x).any() else float("nan"))


def _number(x: float) -> str:
    return f"{x:.3f}" if np.isfinite(x) else ""
