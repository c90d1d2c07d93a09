"""What the comparison does: conditions, sizes, and its jobs in their order, by the names of their records."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from experiments.studies.comparison.records import BASE, MIXED, SCALE, TISSUE, UNSEEN
from experiments.studies.comparison.scans import TISSUES, USUAL, Condition
from experiments.studies.study import SizeName
from simulate.banks.phantoms import BankConfig
from simulate.files.pieces import key

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
    TISSUE: {name: Condition(tissue=name) for name in TISSUES if name != USUAL},
}
"""Sweep -> label -> condition, each away from the base in one thing."""


class Size(NamedTuple):
    """phantoms, inlets : of each generator in the base, and of each phantom.
    slow, qtm : phantoms for fits that take ten seconds and more (of DP, or with local arterial inputs), and for QTM,
        which takes half a minute.
    sweep_phantoms, sweeps : phantoms of each generator in every sweep, and the sweeps.
    """

    phantoms: int
    inlets: int
    slow: int
    qtm: int
    sweep_phantoms: int
    sweeps: tuple[str, ...]


SIZES: dict[SizeName, Size] = {
    "small": Size(phantoms=4, inlets=1, slow=4, qtm=1, sweep_phantoms=2, sweeps=("SNR", "dispersion of the input [s]")),
    "paper": Size(phantoms=110, inlets=3, slow=40, qtm=10, sweep_phantoms=20, sweeps=tuple(SWEEPS)),
}

_MAKERS = {
    "network": "experiments.studies.comparison.networks",
    "fast": "experiments.studies.comparison.estimators",
    "slow": "experiments.studies.comparison.estimators",
    "qtm": "experiments.studies.comparison.estimators",
}
"""Kind of estimator -> module, whose code and all that it imports makes the answers."""

_AROUND = ("experiments.studies.comparison.scans", "experiments.studies.comparison.scores")
"""What makes the examination and scores the answers."""


def condition_of(job: dict[str, Any]) -> Condition:
    return Condition() if job["sweep"] == BASE else SWEEPS[job["sweep"]][job["label"]]


class BankPlan(NamedTuple):
    """A bank, how many phantoms of it, and the name of its folder."""

    config: BankConfig
    count: int
    folder: str


def banks_of(size: Size, seed: int) -> dict[tuple[str, str], BankPlan]:
    """(generator, tissue) -> bank."""
    tissues = {USUAL: size.phantoms}
    for sweep in size.sweeps:
        tissues |= {c.tissue: size.sweep_phantoms for c in SWEEPS[sweep].values() if c.tissue != USUAL}
    found = {}
    for generator, mixing in GENERATORS.items():
        folder = slug(generator) if mixing is None else f"mixing-{mixing:g}"
        for tissue, count in tissues.items():
            config = BankConfig(seed=seed, split="test", mixing=mixing, local_aif=True, **TISSUES[tissue])
            found[generator, tissue] = BankPlan(
                config, count, folder if tissue == USUAL else f"{folder}-{slug(tissue)}"
            )
    return found


def jobs_of(size: Size, versions: dict[str, str]) -> Iterator[dict[str, Any]]:
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
    for inlet in range(size.inlets):
        for phantom in range(size.phantoms):
            for one in quick:
                yield base | one | {"phantom": phantom, "inlet": inlet}
    yield from _slowly("slow", size.slow)
    for phantom in range(size.sweep_phantoms):
        for sweep in size.sweeps:
            for label in SWEEPS[sweep]:
                for one in quick:
                    yield one | {"sweep": sweep, "label": label, "phantom": phantom, "inlet": 0}
    yield from _slowly("qtm", size.qtm)


def _slowly(kind: str, phantoms: int) -> Iterator[dict[str, Any]]:
    """What takes so long that it is done on some phantoms alone."""
    for phantom in range(phantoms):
        for generator in GENERATORS:
            if generator != MIXED:
                yield {"sweep": BASE, "label": "", "generator": generator, "phantom": phantom, "inlet": 0, "kind": kind}


def record_name(job: dict[str, Any], bank: BankConfig, seed: int, given: dict[str, Any]) -> str:
    """File of a job's record: in words what it is, and a key that changes with anything that makes it.

    bank : of its phantoms.      given : what else its estimators are given.
    """
    parts = [slug(job[name]) for name in ("generator", "sweep", "label")]
    which = [job["kind"], *([slug(job["network"])] if job["kind"] == "network" else [])]
    facts = {"job": job, "condition": condition_of(job)._asdict(), "bank": bank._asdict(), "seed": seed, "given": given}
    made = key(facts, _MAKERS[job["kind"]], *_AROUND)
    return "-".join([*parts, f"{job['phantom']:03d}", str(job["inlet"]), *which, made]) + ".json"


def slug(text: str) -> str:
    return "".join(c if c.isalnum() or c == "." else "_" for c in text).strip("_") or "all"


def bank_folder(out: Path, plan: BankPlan) -> Path:
    return out / "phantoms" / plan.folder
