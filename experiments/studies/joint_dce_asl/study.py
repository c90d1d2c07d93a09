"""One phantom, one blood flow, two tracers: what spin labelling's absolute scale does for QTMnet, and how well it
measures flow itself.

Tissue curves alone leave the input's scale open. Contrast and labelled water go through the same vessels of the same
phantom; CBF from the latter fixes the scale of the former, beside the population's scale and the input's true area.
"""

from pathlib import Path

from estimate.qtmnet.weights import load_trained
from experiments.studies.joint_dce_asl import phantom
from experiments.studies.joint_dce_asl.scores import Row, rows_of
from experiments.studies.joint_dce_asl.tables import error_table, findings, joint_figure, summary
from experiments.studies.kept import kept_records
from experiments.studies.shipped import shipped_checksums
from experiments.studies.study import Study
from simulate.base.progress import Progress
from simulate.files.pieces import key

SEED = 0


def run_joint(phantoms: int, folder: Path, progress: Progress) -> list[Row]:
    """Simulate and estimate; the record of every phantom is kept."""
    trained = load_trained()
    made = key({"seed": SEED, "networks": shipped_checksums()}, phantom.__name__)
    names = [f"phantom-{i:03d}-{made}.json" for i in range(phantoms)]
    records = kept_records(
        folder / "pieces", names, lambda i: phantom.compare_on_phantom(i, SEED, trained), what="phantoms",
        progress=progress,
    )  # fmt: skip
    return rows_of(records)


STUDY = Study(
    sizes={"small": 4, "paper": 60},
    run=run_joint,
    findings=findings,
    tables=lambda rows: {"": error_table(rows)},
    figures=lambda rows: {"joint.png": joint_figure(rows)},
    summary=summary,
    seed=SEED,
)
