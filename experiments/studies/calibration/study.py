"""Does a network's stated posterior hold? Simulation-based calibration of both networks (Talts et al. 2018, arXiv
1804.06788).

On phantoms of which neither training, calibration nor comparison knew, with protocol, input and noise drawn as in
training. Whether a network's limits tell scans out of distribution from those within is looked at as well.
"""

from pathlib import Path
from typing import Any

import jax.numpy as jnp

from estimate.qtmnet.weights import SHIPPED, SHIPPED_ASL, load_trained
from experiments.studies.calibration import ranks
from experiments.studies.calibration.figures import rank_figure
from experiments.studies.calibration.tables import coverage_table, findings, summary
from experiments.studies.kept import kept_records
from experiments.studies.study import Study
from simulate.banks.phantoms import BankConfig, read_bank, write_bank
from simulate.base.progress import Progress
from simulate.files.atomic import sha256_of
from simulate.files.pieces import key

WEIGHTS = {"contrast": SHIPPED, "water": SHIPPED_ASL}
"""By tracer."""

SEED = 1000
"""Of the phantoms, unlike that of any other bank."""


def run_network_calibration(phantoms: int, folder: Path, progress: Progress) -> dict[str, Any]:
    """tracer -> see `ranks.examine`; phantoms, of each tracer, and what was found on them are kept."""
    return {tracer: _examined(tracer, phantoms, folder, progress) for tracer in WEIGHTS}


def _examined(tracer: str, phantoms: int, folder: Path, progress: Progress) -> dict[str, Any]:
    config = BankConfig(seed=SEED, split="test", tracer=tracer)
    files = write_bank(folder / "phantoms" / tracer, config, phantoms, what=f"phantoms, {tracer}", progress=progress)

    def record(_: int) -> dict[str, Any]:
        bank = read_bank(files, tracer=tracer).map(jnp.asarray)
        return ranks.examine(load_trained(WEIGHTS[tracer], tracer=tracer), bank, SEED)

    facts = {"bank": config._asdict(), "count": phantoms, "weights": sha256_of(WEIGHTS[tracer])}
    name = f"{tracer}-{key(facts, ranks.__name__)}.json"
    (found,) = kept_records(folder / "scores" / tracer, [name], record, what=f"ranks, {tracer}", progress=progress)
    return found


STUDY = Study(
    sizes={"small": 24, "paper": 150},
    run=run_network_calibration,
    findings=findings,
    tables=lambda found: {"": coverage_table(found)},
    figures=lambda found: {"ranks.png": rank_figure(found)},
    summary=summary,
    seed=SEED,
)
