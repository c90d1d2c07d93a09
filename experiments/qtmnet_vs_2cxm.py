"""When does estimation without an arterial input win? QTMnet against 2CXM, and against what frames both.

Estimators x generators (stirred capillaries, which 2CXM assumes, and plug flow) x conditions, on phantoms that no
network was trained on; networks also on phantoms with the training's mixture of capillaries. The scores of every
examination by every kind of estimator are kept as one piece, so a killed run goes on where it stopped, and another
network, or other weights of the same, costs no fit again.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from estimate.qtmnet.weights import SHIPPED, Trained, load_trained
from experiments.comparison.estimators import (
    PARAMETERS,
    SCALES,
    Found,
    automatic_input,
    derived,
    fast_estimators,
    qtm,
    qtmnet,
    slow_estimators,
)
from experiments.comparison.records import BASE, MIXED, SCALE, UNSEEN, Comparison
from experiments.comparison.scans import LEAKY, Condition, Examination, examine
from experiments.comparison.scores import feed, input_errors, score, shares
from simulate.base.files import prepare_output_folder, sha256_of, write_atomically
from simulate.base.pieces import run_pieces
from simulate.phantom import Region
from simulate.phantom_bank import Bank, BankConfig, read_bank, write_bank
from simulate.responses import TRUTHS

Progress = Callable[[str, int, int], None]

GENERATORS: dict[str, float | None] = {"stirred (2CXM)": 1.0, "plug flow": 0.0, MIXED: None}
"""Capillaries of the truth, their `mixing`; None draws it for every phantom, as for those of the training."""

SWEEPS: dict[str, dict[str, Condition]] = {
    "SNR": {f"{s:g}": Condition(snr=(s, s)) for s in (10.0, 20.0, 50.0, 100.0)},
    "frame spacing [s]": {f"{s:g}": Condition(spacing=s) for s in (1.5, 3.0, 4.5, 6.0)},
    "duration [s]": {f"{s:g}": Condition(duration=s) for s in (120.0, 180.0, 300.0)},
    "AIF amplitude": {f"{a:g}": Condition(amplitude=(a, a)) for a in (0.5, 0.7, 1.0, 1.4, 2.0)},
    "delay of the input [s]": {f"{s:g}": Condition(delay=s) for s in (2.0, 5.0, 8.0)},
    "dispersion of the input [s]": {f"{s:g}": Condition(dispersion=s) for s in (1.0, 2.0, 4.0)},
    "T10 error": {f"{s:g}": Condition(t10_error=s) for s in (0.05, 0.1)},
    "B1": {f"{b:g}": Condition(b1=b) for b in (0.8, 0.9, 1.1, 1.2)},
    "voxel size [mm]": {f"{c:g}": Condition(cell=c) for c in (1.5, 2.0, 3.0)},
    "motion step [voxels]": {"1": Condition(shift=1)},
    SCALE: {f"{a:g}": Condition(scale=a) for a in (0.5, 0.7, 1.4, 2.0)},
    UNSEEN: {"unseen": Condition(family="unseen")},
    "mask of the network": {"tumour": Condition(view="tumour")},
}
"""Sweep -> label -> condition, each away from the base in one thing."""

SIZES: dict[str, dict[str, Any]] = {
    # of each generator: phantoms and inlets of each, in the base; phantoms for what takes ten seconds and more (fits of
    # DP or with the true local input), for QTM (half a minute each), and in every sweep
    "small": {
        "phantoms": 4,
        "inlets": 1,
        "slow": 4,
        "qtm": 1,
        "sweep_phantoms": 2,
        "sweeps": ("SNR", "dispersion of the input [s]"),
    },
    "paper": {"phantoms": 110, "inlets": 3, "slow": 40, "qtm": 10, "sweep_phantoms": 20, "sweeps": tuple(SWEEPS)},
}


def run_qtmnet_vs_2cxm(
    out: Path, *, size: str = "small", seed: int = 0, networks: dict[str, Path] | None = None,
    progress: Progress | None = None,
) -> Comparison:  # fmt: skip
    """Run the comparison into `out`, or go on with it.

    networks : further networks by name, as `tracerflow train qtmnet` writes them (ablations).
    """
    plan, folder = SIZES[size], prepare_output_folder(out)
    report = progress or (lambda *_: None)
    paths = {"QTMnet": SHIPPED, **(networks or {})}
    trained = {name: load_trained(path) for name, path in paths.items()}
    versions = {name: sha256_of(path) for name, path in paths.items()}
    jobs = list(_jobs(plan, versions))
    banks: dict[str, Bank] = {}
    for name, mixing in GENERATORS.items():
        config = BankConfig(seed=seed, split="test", mixing=mixing, supply=True)
        files = write_bank(
            folder / "phantoms" / (_slug(name) if mixing is None else f"mixing-{mixing:g}"), config, plan["phantoms"],
            progress=lambda done, total, name=name: report(f"phantoms, {name}", done, total),
        )  # fmt: skip
        banks[name] = read_bank(files)
    centre = _centre([banks[name] for name in GENERATORS if name != MIXED])

    def work(index: int, path: Path) -> None:
        record = _examine_one(jobs[index], banks, centre, trained, seed)
        write_atomically(path, json.dumps(record) + "\n")

    files = run_pieces(
        folder / "scores", [_piece(job) for job in jobs], work, config={"size": size, "seed": seed},
        progress=lambda done, total: report("examinations", done, total),
    )  # fmt: skip
    records = [json.loads(path.read_text()) for path in files]
    return Comparison(records)


def _jobs(plan: dict[str, Any], versions: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The base before the sweeps and those phantom by phantom, the fast estimators before the slow ones: what is there
    early says most.

    versions : checksum of the weights of every network; part of a job, since other weights are another job.
    """
    networks = [{"kind": "network", "network": name, "weights": version} for name, version in versions.items()]
    quick = [
        {"generator": generator, **kind}
        for generator in GENERATORS
        for kind in [*networks, *([] if generator == MIXED else [{"kind": "fast"}])]
    ]
    base = {"sweep": BASE, "label": ""}
    for inlet in range(plan["inlets"]):
        for phantom in range(plan["phantoms"]):
            for one in quick:
                yield base | one | {"phantom": phantom, "inlet": inlet}
    yield from _slowly("slow", plan)
    for phantom in range(plan["sweep_phantoms"]):
        for sweep in plan["sweeps"]:
            for label in SWEEPS[sweep]:
                for one in quick:
                    yield one | {"sweep": sweep, "label": label, "phantom": phantom, "inlet": 0}
    yield from _slowly("qtm", plan)


def _slowly(kind: str, plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What takes so long that it is done on some phantoms alone."""
    for phantom in range(plan[kind]):
        for generator in GENERATORS:
            if generator != MIXED:
                yield {"sweep": BASE, "label": "", "generator": generator, "phantom": phantom, "inlet": 0, "kind": kind}


def _piece(job: dict[str, Any]) -> str:
    parts = [_slug(job[name]) for name in ("generator", "sweep", "label")]
    which = [job["kind"], *([_slug(job["network"]), job["weights"][:12]] if job["kind"] == "network" else [])]
    return "-".join([*parts, f"{job['phantom']:03d}", str(job["inlet"]), *which]) + ".json"


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() or c == "." else "_" for c in text).strip("_") or "all"


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
    job: dict[str, Any], banks: dict[str, Bank], centre: dict[str, float], trained: dict[str, Trained], seed: int
) -> dict[str, Any]:
    """The job's kind of estimators on one examination."""
    bank = banks[job["generator"]]
    condition = Condition() if job["sweep"] == BASE else SWEEPS[job["sweep"]][job["label"]]
    record = {**job, "scores": {}, "seconds": {}, "voxels": {}, "automatic input": {}, "feed": {}, "unfamiliar": {}}
    if condition.cell not in (0.0, float(bank.cell[job["phantom"]])):
        return record
    exam = _examination(job, bank, condition, seed)
    record["feed"] = feed(exam)

    def keep(name: str, found: Found, begun: float, voxels: int) -> None:
        record["seconds"][name] = time.perf_counter() - begun
        record["voxels"][name] = voxels
        record["scores"][name] = score(found, exam)

    begun = time.perf_counter()
    if job["kind"] == "network":
        name = job["network"]
        found = qtmnet(trained[name], exam, scales=SCALES if name == "QTMnet" else SCALES[:1])
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


def _examination(job: dict[str, Any], bank: Bank, condition: Condition, seed: int) -> Examination:
    """The same input and noise for both generators and all conditions, so that only what is asked about differs."""
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed + 1), job["phantom"]), job["inlet"])
    return examine(key, bank, job["phantom"], condition)
