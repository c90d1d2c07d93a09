"""When does estimation without an arterial input win? QTMnet against 2CXM, and against what frames both.

Estimators x generators (stirred capillaries, which 2CXM assumes, and plug flow) x conditions, on phantoms that no
network was trained on; networks also on phantoms with the training's mixture of capillaries. The scores of every
examination by every kind of estimator are kept as one piece, so a killed run goes on where it stopped, and another
network, or other weights of the same, costs no fit again.
"""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from estimate.qtmnet.weights import SHIPPED, Trained, load_trained
from experiments.studies.comparison.estimators import fast_estimators, qtm, slow_estimators
from experiments.studies.comparison.found import PARAMETERS, Found, derived
from experiments.studies.comparison.inputs import automatic_input
from experiments.studies.comparison.jobs import (
    GENERATORS,
    SIZES,
    BankPlan,
    bank_folder,
    banks_of,
    condition_of,
    jobs_of,
    piece_of,
)
from experiments.studies.comparison.networks import qtmnet, scales_of
from experiments.studies.comparison.records import MIXED, Comparison
from experiments.studies.comparison.scans import LEAKY, USUAL, examine, key_of
from experiments.studies.comparison.scores import feed, input_errors, score, shares
from simulate.banks.contrast import TRUTHS
from simulate.banks.phantoms import Bank, read_bank, write_bank
from simulate.base.progress import Progress, silent
from simulate.files.atomic import prepare_output_folder, sha256_of, write_atomically
from simulate.files.pieces import run_pieces
from simulate.phantoms.priors import Region


def run_qtmnet_vs_2cxm(
    out: Path, *, size: str = "small", seed: int = 0, networks: dict[str, Path] | None = None,
    progress: Progress = silent,
) -> Comparison:  # fmt: skip
    """Run the comparison into `out`, or go on with it.

    networks : further networks by name, as `tracerflow train qtmnet` writes them (ablations).
    """
    plan, folder = SIZES[size], prepare_output_folder(out)
    paths = {"QTMnet": SHIPPED, **(networks or {})}
    trained = {name: load_trained(path) for name, path in paths.items()}
    versions = {name: sha256_of(path) for name, path in paths.items()}
    jobs = list(jobs_of(plan, versions))
    plans = banks_of(plan, seed)
    banks = write_banks(folder, plans, progress)
    centre = _centre([banks[name, USUAL] for name in GENERATORS if name != MIXED])

    def work(index: int, path: Path) -> None:
        record = _examine_one(jobs[index], banks, centre, trained, seed)
        write_atomically(path, json.dumps(record) + "\n")

    def name(job: dict[str, Any]) -> str:
        bank = plans[job["generator"], condition_of(job).tissue].config
        return piece_of(job, bank, seed, centre if job["kind"] == "fast" else {})

    files = run_pieces(
        folder / "scores", [name(job) for job in jobs], work, config={"size": size, "seed": seed}, code=(),
        what="examinations", progress=progress,
    )  # fmt: skip
    records = [json.loads(path.read_text()) for path in files]
    return Comparison(records)


def write_banks(
    folder: Path, plans: dict[tuple[str, str], BankPlan], progress: Progress
) -> dict[tuple[str, str], Bank]:
    """The phantoms of a comparison in `folder`; what is there already is kept."""
    banks = {}
    for (generator, tissue), plan in plans.items():
        files = write_bank(
            bank_folder(folder, plan), plan.config, plan.count,
            what=f"phantoms, {generator}, {tissue}", progress=progress,
        )  # fmt: skip
        banks[generator, tissue] = read_bank(files)
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
    record = {**job, "scores": {}, "seconds": {}, "voxels": {}, "automatic input": {}, "feed": {}, "unfamiliar": {}}
    if condition.cell not in (0.0, float(bank.cell[job["phantom"]])):
        return record
    exam = examine(key_of(seed, job["phantom"], job["inlet"]), bank, job["phantom"], condition)
    record["feed"] = feed(exam)

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
