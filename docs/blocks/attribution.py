"""Where attributions point, and whether their errors cover."""

from typing import Any

from blocks.words import percent, span, table

FRAMES, MAPS = "frames", "maps"
PATH = "path, complete"


def attribution(found: dict[str, Any]) -> str:
    chains = found["chains"]
    rows = [_row(chain, {(a["level"], a["method"]): a for a in chain["auc"]}) for chain in chains]
    head = [
        "maps", "head", "rule on", "path", "at least .9", "gradient x input", "gradient", "path, by maps", "Grad-CAM",
        "true map", "parts by that map [%]", "in the tail [%]", "largest gap [%]",
    ]  # fmt: skip
    cosine = min(chain["least Shapley cosine"] for chain in chains if "linear" in chain["head"])
    return (
        f"Median AUC of the rim against tissue outside the tumour, by the frames' parts summed over time, in "
        f"{chains[0]['patients']} virtual patients. Chance is .5; beside it what the true map of the rule's parameter "
        f"alone says of the rim, which a head may surpass by reading other maps, and the share of all parts that came "
        f"by that map:\n{table(head, rows)}\n"
        f"With linear heads the parts of regions agree with Shapley values (cosine {cosine:.3f} and more)."
        f"{_errors(found['errors'])}"
    )


def _errors(found: list[dict[str, Any]]) -> str:
    if not found:
        return ""
    said = []
    for estimator in dict.fromkeys(each["estimator"] for each in found):
        there = [each["covered"] for each in found if each["estimator"] == estimator]
        voxels, features, logit = (
            span(each[level] for each in there if level in each) for level in ("voxels", "features", "logit")
        )
        said.append(f"{estimator} in {voxels} % of the voxels, {features} % of the features, {logit} % of the logits")
    patients = len({each["patient"] for each in found})
    return (
        f" Stated 90 % intervals hold the mean of other scans of the same patient, by {'; by '.join(said)} "
        f"({patients} patient{'s' if patients > 1 else ''}; where fewer than 85 % do, they are too narrow)."
    )


def _row(chain: dict[str, Any], auc: dict[tuple[str, str], Any]) -> list[str]:
    def median(level: str, method: str) -> str:
        found = auc.get((level, method))
        return f"{found['median']:.2f}" if found else ""

    path = auc[FRAMES, PATH]
    return [
        chain["estimator"], chain["head"], chain["rule"], f"{path['median']:.2f}",
        f"{path['high']} of {chain['patients']}", median(FRAMES, "gradient x input"), median(FRAMES, "gradient"),
        median(MAPS, PATH), median(MAPS, "Grad-CAM"), f"{chain['AUC of the true map']:.2f}",
        percent(chain[f"of {chain['rule']}"]), percent(chain["tail"]), percent(chain["largest gap"], 2),
    ]  # fmt: skip
