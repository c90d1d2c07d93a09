"""The numbers of README and guide are those of the committed results."""

import re
import sys

import pytest

from estimate.qtmnet.weights import SHIPPED, SHIPPED_ASL
from simulate.files.atomic import sha256_of
from tests.docs.pages import PAGES, ROOT


@pytest.fixture(scope="module")
def writer():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "docs")
        import write_results

        yield write_results
        for name in [name for name in sys.modules if name.split(".")[0] in ("blocks", "write_results")]:
            del sys.modules[name]


def test_the_pages_are_what_the_command_writes(writer):
    pages = writer.read_pages()
    assert set(pages) == set(PAGES.values())
    assert writer.written(pages, writer.committed()) == pages


def test_every_committed_result_is_read_by_a_block(writer):
    used = {file for block in writer.BLOCKS.values() for file in block.files}
    assert set(writer.committed()) == used


def test_committed_results_are_those_of_the_weights_that_ship(writer):
    """Other weights, and every number of theirs in the text is stale."""
    shipped = {"QTMnet": sha256_of(SHIPPED), "QTMnet-ASL": sha256_of(SHIPPED_ASL)}
    for name, found in writer.committed().items():
        stale = [which for which, version in found.get("weights", {}).items() if shipped.get(which) != version]
        assert not stale, f"{name} is not of the {stale} that ship: run its command again"


@pytest.fixture
def results(writer):
    """The committed ones, with made-up numbers of QTMnet in the form that the commands write."""
    four = ("Fp", "PS", "vp", "ve")
    generators = ("stirred (2CXM)", "plug flow")
    floor = "matched model, true local input, arterial volume"
    ways = {"QTMnet": 0.1234, "QTMnet, vessels scale": 0.15, "QTMnet, population scale": 0.3}
    ways |= {"truth, population scale": 0.256}
    of_four = {"error": 0.2, "in_base": 0.1, "rival": 0.3, "covers": 0.7, "in_base_covers": 0.9}
    condition = {"sweep": "SNR", "label": "10", "rims": 12, "warned": 0.25}
    condition |= {name: dict.fromkeys(four, value) for name, value in of_four.items()}
    fine = condition | {"label": "50", "error": dict.fromkeys(four, 0.1), "covers": dict.fromkeys(four, 0.9)}
    return writer.committed() | {
        "qtmnet-vs-2cxm": {
            "rims": dict.fromkeys(generators, 71),
            "errors": {g: {way: {p: [x, 0.1, 0.2] for p in four} for way, x in ways.items()} for g in generators},
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


def test_numbers_come_from_results_alone(writer, results):
    pages = writer.read_pages()
    found = writer.written(pages, results)
    all_ = "".join(found.values())
    for words in (
        "12 % in Fp", "0.88 and 0.88 in PS", "88 % of Fp", "57 are marked, and 39 of 990", "5 % of familiar scans",
        "| SNR: 10 | Fp 20, 20 | 10, 10 | 30, 30 | Fp 70, 70 | 25, 25 |", "by another 26 %",
        "QTMnet stands SNR 50:", "| Fp, tumour rim (9 phantoms) | 87 |", "| population | 30 | 30 | 30 | 30 |",
    ):  # fmt: skip
        assert words in all_, words
    assert writer.written(found, results) == found
    places = re.compile(r"(<!-- results: [\w-]+ -->).*?(<!-- end -->)", re.DOTALL)
    for path, text in found.items():
        assert places.sub(r"\1\2", text) == places.sub(r"\1\2", pages[path])


def test_every_block_has_one_place(writer):
    pages, results = writer.read_pages(), writer.committed()
    path, text = next((path, text) for path, text in pages.items() if "results: ranks" in text)
    for wrong in (text.replace("results: ranks", "results: rank"), text + text):
        with pytest.raises(ValueError, match="can be written"):
            writer.written(pages | {path: wrong}, results)
