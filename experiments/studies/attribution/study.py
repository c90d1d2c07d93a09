"""Does an attribution find the cause? Virtual patients whose label a stated rule reads off the tumour's rim, heads that
learnt it from maps, and their logits taken apart down to the raw frames.

The cause is known: the voxels of the rim, and of the parameters the one that the rule reads. Beside the complete
attribution along the path stand its rivals, and the same at the level of maps: what is lost there is the head's, not
the estimator's.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from classify.chain.estimator import Estimator
from estimate.qtmnet.weights import load_trained
from experiments.studies.attribution import explained as explaining
from experiments.studies.attribution import heads as teaching
from experiments.studies.attribution import redrawn
from experiments.studies.attribution.cohort import SEED, Case, cohort
from experiments.studies.attribution.explained import aucs, explain
from experiments.studies.attribution.figures import scores_figure
from experiments.studies.attribution.heads import HEADS, IMAGE, NETWORK, Taught, taught
from experiments.studies.attribution.measured import ESTIMATORS, Remembered, estimator_of, estimators_of
from experiments.studies.attribution.patients import RULES, bank, patient
from experiments.studies.attribution.redrawn import covered
from experiments.studies.attribution.rows import Covered, Found, Row
from experiments.studies.attribution.tables import findings, summary, tables
from experiments.studies.kept import kept_records
from experiments.studies.shipped import shipped_checksums
from experiments.studies.study import Study
from simulate.base.progress import Progress
from simulate.files.pieces import key


class Size(NamedTuple):
    """train, test : patients.      side : voxels along an edge.      epochs : of the network.
    scanned_again : of the test patients, and how often, to see whether errors cover."""

    train: int
    test: int
    side: int
    epochs: int
    scanned_again: tuple[int, int]


def run_attribution(size: Size, folder: Path, progress: Progress) -> Found:
    """Draw, estimate, learn, explain; all of it is kept in the folder."""
    trained = load_trained()
    train, test = (
        cohort(split, count, size.side, folder / "patients", trained, progress)
        for split, count in (("train", size.train), ("test", size.test))
    )
    limits = {rule: float(np.median([case.cause[rule] for case in train])) for rule in RULES}
    learnt = size._replace(test=0, scanned_again=(0, 0))._asdict()
    facts = {"size": learnt, "networks": shipped_checksums()}
    taught_by, made, scanned = (key(facts, module.__name__) for module in (teaching, explaining, redrawn))
    heads = _heads(train, limits, size, folder / "heads" / taught_by, progress)
    with jax.enable_x64(True):
        heads = {chain: each.doubled() for chain, each in heads.items()}
        records = kept_records(
            folder / "explained", [f"patient-{case.index:04d}-{made}.json" for case in test],
            lambda i: _explained(test[i], heads, size, trained), what="patients explained", progress=progress,
        )  # fmt: skip
        again, redraws = size.scanned_again
        coverage = kept_records(
            folder / "scanned again", [f"patient-{case.index:04d}-{redraws}-{scanned}.json" for case in test[:again]],
            lambda i: _scanned_again(test[i], heads, size, trained), what="patients scanned again", progress=progress,
        )  # fmt: skip
    rows = [Row(**row) for record in records for row in record["rows"]]
    errors = [Covered(**row) for record in coverage for row in record["rows"]]
    return Found(rows, errors, limits, {chain: each.left_out for chain, each in heads.items()})


Which = tuple[str, str, str]
"""Rule, estimator, head."""


def _heads(
    train: list[Case], limits: Mapping[str, float], size: Size, folder: Path, progress: Progress
) -> dict[Which, Taught]:
    found = {}
    for rule in RULES:
        labels = np.asarray([int(case.cause[rule] > limits[rule]) for case in train])
        for estimator in ESTIMATORS:
            for name in HEADS:
                place = folder / f"{rule}-{estimator}"
                found[rule, estimator, name] = taught(name, train, estimator, labels, place, size.epochs, progress)
    return found


def _explained(case: Case, heads: Mapping[Which, Taught], size: Size, trained: Any) -> dict[str, Any]:
    """A row for each rule, estimator and head."""
    who = patient(bank("test", size.side, SEED), case.index)
    estimators = {name: Remembered(each) for name, each in estimators_of(who, trained).items()}
    rows = [
        {
            "patient": case.index, "rule": rule, "estimator": estimator, "head": name, "cause": case.cause[rule],
            "true_map": aucs({rule: who.truth[rule]}, who)[rule],
            "scores": explain(case, who, estimators[estimator], name, each.head),
        } for (rule, estimator, name), each in heads.items()
    ]  # fmt: skip
    return {"rows": rows}


def _scanned_again(case: Case, heads: Mapping[Which, Taught], size: Size, trained: Any) -> dict[str, Any]:
    """A row for each estimator and for two heads of the first rule, one that is linear and one that bends."""
    who = patient(bank("test", size.side, SEED), case.index)
    rows = []
    for estimator in ESTIMATORS:
        asked = {name: heads[RULES[0], estimator, name].head for name in (IMAGE, NETWORK)}

        def measured(frames: np.ndarray, name: str = estimator) -> Estimator:
            return estimator_of(name, who._replace(frames=frames), trained)

        found = covered(case, who, measured, asked, size.scanned_again[1])
        rows += [{"patient": case.index, "estimator": estimator, "head": name, **each} for name, each in found.items()]
    return {"rows": rows}


STUDY = Study(
    sizes={"small": Size(40, 4, 16, 40, (1, 8)), "paper": Size(100, 20, 16, 60, (2, 20))},
    run=run_attribution,
    findings=findings,
    tables=tables,
    figures=lambda found: {"scores.png": scores_figure(found)},
    summary=summary,
    seed=SEED,
)
