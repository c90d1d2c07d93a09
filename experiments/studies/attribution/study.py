"""Does an attribution point to the place, the parameter and the frames that made a label?

Patients are glioblastomas of one simulator; the label is whether the true PS, or the true Fp, of the rim is above the
median of the training patients. Heads learn from estimated maps of training patients; test patients are others. What
made the label is known, so attributions down to the frames are scored against it, beside others' and beside chance.
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from classify.chain.estimator import Estimator
from classify.chain.kinetic import KineticEstimator
from classify.chain.qtmnet import QTMnetEstimator
from estimate.qtmnet.weights import SHIPPED, load_trained
from experiments.studies.attribution import heads, patients, scores
from experiments.studies.attribution.tables import findings, localisation_table, summary
from experiments.studies.kept import kept_records
from experiments.studies.study import Study
from simulate.banks.phantoms import read_bank, write_bank
from simulate.base.errors import InputError
from simulate.base.progress import Progress
from simulate.files.atomic import sha256_of
from simulate.files.pieces import key

SEED = 2000
"""Of the phantoms, unlike that of any other bank."""

CAUSES = ("PS", "Fp")


class Size(NamedTuple):
    """Phantoms that are simulated, of which those whose rim has `patients.RIM_SHARE` of the voxels are patients;
    voxels along an edge."""

    train: int
    test: int
    side: int = 16


def run_chain_attribution(size: Size, folder: Path, progress: Progress) -> dict[str, Any]:
    """What is in `tables`: classes told apart, by estimator, cause and head, and a record for each test patient."""
    with jax.enable_x64(True):
        weights = sha256_of(SHIPPED)
        facts = {"size": size._asdict(), "seed": SEED, "weights": weights}
        made = key(facts, __name__)
        train = _measured("train", size.train, size, folder, made, progress)
        found: dict[str, Any] = {"size": size._asdict()}
        thresholds = {cause: float(np.median([each["cause"][cause] for each in train])) for cause in CAUSES}
        learned = {}
        for cause in CAUSES:
            labels = np.asarray([each["cause"][cause] > thresholds[cause] for each in train])
            for estimator, head in _pairs():
                rows = [i for i, each in enumerate(train) if each["features"][estimator][head] is not None]
                features = np.asarray([train[i]["features"][estimator][head] for i in rows])
                learned[cause, estimator, head] = heads.learned(features, labels[rows])
        files = write_bank(
            folder / "phantoms" / "test", patients.bank_config("test", SEED, size.side), size.test, what="test phantoms",
            progress=progress,
        )  # fmt: skip
        names = [f"attribution-{i:03d}-{made}.json" for i in range(size.test)]
        explain = partial(_explained, files, learned, thresholds)
        records = kept_records(folder / "attributions", names, explain, what="attributions", progress=progress)
    found["patients"] = [each for each in records if each]
    found["trained on"] = {
        f"{estimator}, {head}": sum(each["features"][estimator][head] is not None for each in train)
        for estimator, head in _pairs()
    }
    return found


def _pairs() -> Iterator[tuple[str, str]]:
    return ((estimator, head) for estimator in ("2CXM", "QTMnet") for head in heads.HEADS)


def estimators_of(patient: patients.Patient) -> dict[str, Estimator]:
    """2CXM with the exact input and its delay; QTMnet without an input, at the population's scale."""
    frames, protocol, t10 = patient.frames, patients.PROTOCOL, patient.t10
    fit = KineticEstimator.measured(frames, protocol, t10=t10, aif=patient.aif, fit_delay=True)
    network = QTMnetEstimator.measured(frames, protocol, t10=t10, trained=load_trained(), inside=patient.inside)
    return {"2CXM": fit, "QTMnet": network}


def _patient(files: Sequence[Path], index: int, split: str) -> patients.Patient | None:
    bank = read_bank([files[index]])
    if not patients.fits(bank.region[0]):
        return None
    draw = jax.random.fold_in(jax.random.key(SEED + (split == "test")), index)
    return patients.patient(bank, 0, draw)


def _measured(split: str, count: int, size: Size, folder: Path, made: str, progress: Progress) -> list[dict[str, Any]]:
    """Of every training patient the cause of its label and its features by estimator and head, None where refused."""
    files = write_bank(
        folder / "phantoms" / split, patients.bank_config(split, SEED, size.side), count, what=f"{split} phantoms",
        progress=progress,
    )  # fmt: skip

    def record(index: int) -> dict[str, Any]:
        patient = _patient(files, index, split)
        if patient is None:
            return {}
        features: dict[str, dict[str, Any]] = {}
        for name, estimator in estimators_of(patient).items():
            maps = estimator.at(patient.frames).maps
            features[name] = {head: _features(head, patient, estimator, maps) for head in heads.HEADS}
        return {"cause": {cause: patient.cause(cause) for cause in CAUSES}, "features": features}

    names = [f"features-{split}-{i:03d}-{made}.json" for i in range(count)]
    records = kept_records(folder / "features", names, record, what=f"{split} patients", progress=progress)
    return [each for each in records if each]


def _features(head: str, patient: patients.Patient, estimator: Estimator, maps: Any) -> list[float] | None:
    try:
        return np.asarray(heads.features_of(head, patient, estimator)(maps)).tolist()
    except InputError:  # too few reliable voxels carry one
        return None


def _explained(
    files: Sequence[Path], learned: dict[tuple[str, str, str], heads.Linear], thresholds: dict[str, float],
    index: int,
) -> dict[str, Any]:  # fmt: skip
    """Of one test patient: by cause, estimator and head."""
    patient = _patient(files, index, "test")
    if patient is None:
        return {}
    found: dict[str, Any] = {cause: {"label": patient.cause(cause) > thresholds[cause]} for cause in CAUSES}
    for name, estimator in estimators_of(patient).items():
        for head in heads.HEADS:
            try:
                features = heads.features_of(head, patient, estimator)
            except InputError as problem:
                for cause in CAUSES:
                    found[cause][f"{name}, {head}"] = {"refused": str(problem)}
                continue
            for cause in CAUSES:
                chain = heads.chain_of([estimator], features, learned[cause, name, head])
                found[cause][f"{name}, {head}"] = scores.score(chain, patient)
    return json.loads(json.dumps(found))


STUDY = Study(
    sizes={"small": Size(train=16, test=4, side=12), "paper": Size(train=120, test=32)},
    run=run_chain_attribution,
    findings=findings,
    tables=lambda found: {"": localisation_table(found)},
    summary=summary,
    seed=SEED,
)
