"""When does estimation without an arterial input win? QTMnet against 2CXM, and against what frames both.

Estimators x generators (stirred capillaries, which 2CXM assumes, and plug flow) x conditions, on phantoms that no
network was trained on; networks also on phantoms with the training's mixture of capillaries. The scores of every
examination by every kind of estimator are kept as one record, so a killed run goes on where it stopped, and another
network, or other weights of the same, costs no fit again.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from estimate.qtmnet.weights import SHIPPED, Trained, load_trained
from experiments.studies.comparison.estimators import fast_estimators, qtm, slow_estimators
from experiments.studies.comparison.figures import base_figure, sweeps_figure
from experiments.studies.comparison.findings import findings
from experiments.studies.comparison.found import PARAMETERS, Found, derived
from experiments.studies.comparison.inputs import automatic_input
from experiments.studies.comparison.jobs import (
    GENERATORS,
    SIZES,
    BankPlan,
    Size,
    bank_folder,
    banks_of,
    condition_of,
    jobs_of,
    record_name,
)
from experiments.studies.comparison.networks import qtmnet, scales_of
from experiments.studies.comparison.records import MIXED, Comparison
from experiments.studies.comparison.scans import LEAKY, USUAL, examine, key_of
from experiments.studies.comparison.scores import input_errors, local_peaks, score, shares
from experiments.studies.comparison.summary import summary
from experiments.studies.comparison.tables import tables
from experiments.studies.kept import kept_records
from experiments.studies.study import Given, Study
from simulate.banks.contrast import TRUTHS
from simulate.banks.phantoms import Bank, read_bank, write_bank
from simulate.base.errors import InputError
from simulate.base.progress import Progress
from simulate.files.atomic import sha256_of
from simulate.phantoms.priors import Region

SEED = 0


def run_qtmnet_vs_2cxm(
    size: Size, folder: Path, progress: Progress, *, network: Mapping[str, Path] | None = None
) -> Comparison:
    """Run the comparison, or go on with it; phantoms and records are kept in the folder.

    network : further networks by name, as `tracerflow train qtmnet` writes them (ablations).
    """
    paths = {"QTMnet": SHIPPED, **(network or {})}
    trained = {name: load_trained(path) for name, path in paths.items()}
    versions = {name: sha256_of(path) for name, path in paths.items()}
    jobs = list(jobs_of(size, versions))
    plans = banks_of(size, SEED)
    banks = write_banks(folder, plans, progress)
    centre = _centre([banks[name, USUAL] for name in GENERATORS if name != MIXED])

    def name_of(job: dict[str, Any]) -> str:
        bank = plans[job["generator"], condition_of(job).tissue].config
        return record_name(job, bank, SEED, centre if job["kind"] == "fast" else {})

    def record(index: int) -> dict[str, Any]:
        return _examine_one(jobs[index], banks, centre, trained, SEED)

    names = [name_of(job) for job in jobs]
    records = kept_records(folder / "scores", names, record, what="examinations", progress=progress)
    return Comparison(records)


def named_networks(given: Sequence[str]) -> Given:
    """Files of weights by name, from NAME=FILE."""
    networks = {}
    for text in given:
        name, sign, path = text.partition("=")
        if not (name and sign and Path(path).is_file()):
            raise InputError(
                "--network", text, "is not NAME=FILE with a file that exists", "name the weights of a network"
            )
        networks[name] = Path(path)
    return Given(networks, list(networks.values()))


def write_banks(
    folder: Path, plans: Mapping[tuple[str, str], BankPlan], progress: Progress
) -> dict[tuple[str, str], Bank]:
    """The phantoms of a comparison in `folder`; what is there already is kept."""
    banks = {}
    for (generator, tissue), plan in plans.items():
        what = f"phantoms, {generator}, {tissue}"
        banks[generator, tissue] = read_bank(
            write_bank(bank_folder(folder, plan), plan.config, plan.count, what=what, progress=progress)
        )
    return banks


def _centre(banks: list[Bank]) -> dict[str, float]:
    """What the constant answers: medians of the leaky rims of all test phantoms, better than any prior could know."""
    parts = []
    for bank in banks:
        truth, region = np.asarray(bank.truth), np.asarray(bank.region)
        parts.append(truth[(region == int(Region.RIM)) & (truth[..., TRUTHS.index("PS")] > LEAKY)])
    rims = np.concatenate(parts)
    truth = derived({name: rims[:, i] for i, name in enumerate(TRUTHS)})
    return {name: float(np.median(truth[name])) if len(rims) else 1.0 for name in PARAMETERS}


def _examine_one(
    job: dict[str, Any],
    banks: dict[tuple[str, str], Bank],
    centre: dict[str, float],
    trained: dict[str, Trained],
    seed: int,
) -> dict[str, Any]:
    """The job's kind of estimators on one examination."""
    condition = condition_of(job)
    bank = banks[job["generator"], condition.tissue]
    parts = ("scores", "seconds", "voxels", "automatic input", "local peak", "unfamiliar")
    record = {**job, **{part: {} for part in parts}}
    if condition.cell not in (0.0, float(bank.cell[job["phantom"]])):
        return record
    exam = examine(key_of(seed, job["phantom"], job["inlet"]), bank, job["phantom"], condition)
    record["local peak"] = local_peaks(exam)

    def keep(name: str, found: Found, begun: float, voxels: int) -> None:
        record["seconds"][name] = time.perf_counter() - begun
        record["voxels"][name] = voxels
        record["scores"][name] = score(found, exam)

    begun = time.perf_counter()
    if job["kind"] == "network":
        name = job["network"]
        found = qtmnet(trained[name], exam, scales=scales_of(name))
        record["unfamiliar"][name] = shares(found["known"]["unfamiliar"], exam)
        for scale, values in found.items():
            keep(name if scale == "known" else f"{name}, {scale} scale", values, begun, len(exam.curves))
    elif job["kind"] == "qtm":
        keep("QTM", qtm(float(bank.cell[job["phantom"]]), exam), begun, len(exam.curves))
    else:
        chosen = (
            fast_estimators(centre) if job["kind"] == "fast" else slow_estimators(float(bank.mixing[job["phantom"]]))
        )
        for name, estimator in chosen.items():
            begun = time.perf_counter()
            keep(name, estimator(exam), begun, len(exam.scored))
        if job["kind"] == "fast":
            record["automatic input"] = input_errors(automatic_input(exam), exam)
    return record


STUDY = Study(
    sizes=SIZES,
    run=run_qtmnet_vs_2cxm,
    findings=findings,
    tables=tables,
    figures=lambda found: {"base.png": base_figure(found), "sweeps.png": sweeps_figure(found)},
    summary=summary,
    options={"network": named_networks},
    seed=SEED,
)
