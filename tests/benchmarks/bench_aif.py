"""How right is an arterial input found in the images, does it know, and what has it learnt that from?

Phantoms of `simulate_dce`, each as it comes, with an artery of 2 to 5 voxels, and with one of .8 to 1.9
(`experiments.studies.arterial_input.scenes` says what is drawn); a quarter of the scenes has few slices. --fit learns
from the training patients and writes estimate/arterial/quality.json; otherwise the others are scored with what ships.

    python tests/benchmarks/bench_aif.py --scenes DIR [--patients 200] [--json docs/results/aif_finder.json]
    python tests/benchmarks/bench_aif.py --scenes DIR [--patients 230] --fit

Scenes are kept in DIR (3 s and 1 MB each patient); a killed run goes on where it stopped.
"""

import argparse
import json
from pathlib import Path

from estimate.arterial.quality import FILE, T1_KINDS, qualities
from experiments.studies.arterial_input.bank import SPLITS, constants, read_bank, write_bank
from experiments.studies.arterial_input.learning import learn
from experiments.studies.arterial_input.looks import Look, few_slices, looks
from experiments.studies.arterial_input.scores import by_voxel, score, table
from simulate.files.atomic import write_atomically
from simulate.files.provenance import provenance


def see(folder: Path, split: str, patients: int) -> list[Look]:
    paths = write_bank(
        folder, split, patients, progress=lambda what, k, n: print(f"\r{split} {k}/{n}", end="", flush=True)
    )
    print()
    return [seen for scene in read_bank(paths) for seen in looks(few_slices(scene))]


def made(split: str, patients: int) -> dict:
    options = {"split": split, "first seed": SPLITS[split], "patients": patients}
    return {"scenes": constants(), **provenance(command="tests/benchmarks/bench_aif.py", options=options, inputs=[])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--patients", type=int)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.fit:
        patients = given.patients or 230
        found = learn(see(given.scenes, "train", patients)) | {"provenance": made("train", patients)}
        write_atomically(FILE, json.dumps(found, indent=1) + "\n")
        return
    patients = given.patients or 200
    seen = see(given.scenes, "test", patients)
    results = {"provenance": made("test", patients)}
    for kind in T1_KINDS:
        chosen = [look for look in seen if look.kind == kind]
        results[kind] = {"groups": score(chosen, qualities()[kind]), "by voxel": by_voxel(chosen, qualities()[kind])}
        print(f"\nT1 {kind}\n" + "\n".join(table(results[kind]["groups"]) + table(results[kind]["by voxel"])))
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(given.json, json.dumps(results, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
