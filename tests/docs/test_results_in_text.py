"""The README's figures are those of the committed results."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from estimate.qtmnet.weights import SHIPPED, SHIPPED_ASL
from simulate.files.atomic import sha256_of

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def readme():
    spec = importlib.util.spec_from_file_location("readme", DOCS / "readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_is_what_the_command_writes(readme):
    text = readme.README.read_text()
    assert readme.written(text, readme.committed()) == text


def test_every_committed_result_is_read_by_a_block(readme):
    used = {file for block in readme.BLOCKS.values() for file in block.files}
    assert set(readme.committed()) <= used


def test_committed_results_are_those_of_the_weights_that_ship(readme):
    """Other weights, and every figure of theirs in the README is stale."""
    shipped = {"QTMnet": sha256_of(SHIPPED), "QTMnet-ASL": sha256_of(SHIPPED_ASL)}
    for name, found in readme.committed().items():
        stale = [which for which, version in found.get("weights", {}).items() if shipped.get(which) != version]
        assert not stale, f"{name} is not of the {stale} that ship: run its command again"


@pytest.fixture
def results():
    """Made-up numbers in the form that the commands write."""
    four = ("Fp", "PS", "vp", "ve")
    generators = ("stirred (2CXM)", "plug flow")
    floor = "matched model, true local input, arterial volume"
    of_four = {"error": 0.2, "in_base": 0.1, "rival": 0.3, "covers": 0.7, "in_base_covers": 0.9}
    condition = {"sweep": "SNR", "label": "10", "rims": 12, "warned": 0.25}
    condition |= {name: dict.fromkeys(four, value) for name, value in of_four.items()}
    fine = condition | {"label": "50", "error": dict.fromkeys(four, 0.1), "covers": dict.fromkeys(four, 0.9)}
    return {
        "qtmnet-vs-2cxm": {
            "rims": dict.fromkeys(generators, 71),
            "errors": {g: {"QTMnet": {p: [0.1234, 0.1, 0.2] for p in four}} for g in generators},
            "ratios": {g: {floor: {p: [0.876, 0.8, 1.0] for p in four}} for g in generators},
            "coverage": {p: [0.881, 0.85, 0.91, 70] for p in four},
            "feed": {g: {"lost": 0.03, "sharp": 0.11, "spread": 0.21} for g in generators},
            "marked": {"familiar": [39, 990], "unseen injection": [57, 60]},
            "sweeps": [{"generator": g} | c for g in generators for c in (condition, fine)],
        },
        "network-calibration": {
            tracer: {
                "limits": {"of calibration": {"alarms": 0.05, "found": 0.95}},
                "quantities": {
                    q: {"tumour rim": {"coverage": {"0.9": [0.87, 0.8, 0.9]}, "phantoms": 9}}
                    for q in (*four, "CBF", "ATT")
                },
            } for tracer in ("contrast", "water")
        },
    }  # fmt: skip


def test_figures_come_from_results_alone_and_stay_where_there_are_none(readme, results):
    text = readme.README.read_text()
    found = readme.written(text, results)
    for words in (
        "12 % in Fp", "0.88 and 0.88 in PS", "88 % of Fp", "57 are marked, and 39 of 990", "5 % of familiar scans",
        "| SNR: 10 | Fp 20, 20 | 10, 10 | 30, 30 | Fp 70, 70 | 25, 25 |",
        "QTMnet stands SNR 50:", "| Fp, tumour rim (9 phantoms) | 87 |",
    ):  # fmt: skip
        assert words in found, words
    assert readme.written(found, results) == found
    outside = re.compile(r"(<!-- results: [\w-]+ -->).*?(<!-- end -->)", re.DOTALL)
    assert outside.sub(r"\1\2", found) == outside.sub(r"\1\2", text)
    kept = re.search(r"<!-- results: joint -->(.*?)<!-- end -->", text, re.DOTALL)
    assert kept is not None
    if "joint-dce-asl" not in readme.committed():
        assert kept.group(0) in found


def test_a_block_that_nothing_writes_is_an_error(readme, results):
    text = readme.README.read_text()
    with pytest.raises(ValueError, match="can be written"):
        readme.written(text.replace("results: ranks", "results: rank"), json.loads(json.dumps(results)))
