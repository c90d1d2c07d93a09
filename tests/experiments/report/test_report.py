"""The report: one self-contained page that any browser opens without a request or an error."""

import base64
import io
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.image import imread

from experiments.report.figures.curves import TypicalVoxel
from experiments.report.page import Report, provenance_tables, summary_rows, write_report
from simulate.base.status import Status, status_shares
from simulate.base.types import Maps
from simulate.inputs.arterial_input import ArterialInput


@pytest.fixture(scope="module")
def report():
    rng = np.random.default_rng(2)
    shape, t = (16, 12, 2), np.arange(0, 60, 3.0)
    values = {"Fp": 60 * rng.random(shape), "Ktrans": 0.2 * rng.random(shape), "ve": 0.4 * rng.random(shape)}
    maps = Maps({**values, "delay": 3 * rng.random(shape)}, np.diag([-2.0, 2.0, 4.0, 1.0]))
    status = np.where(rng.random(shape) > 0.9, int(Status.AT_BOUND), 0)
    curve = np.exp(-t / 20)
    return Report(
        title="Perfusion of <sub-01> & others",
        summary=summary_rows(maps),
        maps=maps,
        status=status,
        shares=status_shares(status),
        aif=ArterialInput(t, curve, "parker"),
        voxels=[TypicalVoxel((4, 5, 1), "median Ktrans", t, curve + 0.01, curve, "vp 0.05 ± 0.01")],
        motion=(t, np.full(t.shape, 0.99)),
        truth=maps,
        warnings=["Haematocrit was not given: 0.45 was taken."],
        mask=np.ones(shape, bool),
        provenance={
            "version": "0.1.0",
            "options": {"method": "2cxm", "bounds": {"ve": [0, 1]}, "mask": None},
            "inputs": [{"path": "dce.nii.gz", "sha256": "9f86d081"}],
        },
    )


@pytest.fixture(scope="module")
def folder(report, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    write_report(folder, report)
    return folder


class Page(HTMLParser):
    """Collects the tags of a page, each with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def html(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def test_nothing_is_fetched_from_outside(html):
    links = [attrs[key] for _, attrs in Page(html).tags for key in ("src", "href") if key in attrs]
    assert links
    assert all(link.startswith(("data:", "#")) for link in links)
    assert not re.search(r"url\(|@import|<script", html)


def test_every_link_of_the_navigation_has_its_section(html):
    tags = Page(html).tags
    ids = {attrs["id"] for _, attrs in tags if "id" in attrs}
    targets = {attrs["href"][1:] for tag, attrs in tags if tag == "a"}
    assert targets <= ids
    assert {
        "summary",
        "maps",
        "truth",
        "scatter",
        "distributions",
        "status",
        "aif",
        "voxels",
        "motion",
    } <= targets


def test_every_image_decodes_and_has_words(html):
    images = [attrs for tag, attrs in Page(html).tags if tag == "img"]
    assert len(images) == 8
    for image in images:
        png = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"))
        pixels = imread(io.BytesIO(png), format="png")
        assert min(pixels.shape[:2]) > 100
        assert pixels.std() > 0
        assert image["alt"]


def test_units_numbers_and_provenance_are_on_the_page(report, html):
    for name, value, unit, _ in report.summary:
        assert name in html
        assert value in html
        assert unit in html
    assert all(word in html for word in ("9f86d081", "bounds.ve", "2cxm", "Haematocrit was not given"))


def test_text_is_escaped_and_the_page_is_named(html):
    assert "<title>Perfusion of &lt;sub-01&gt; &amp; others</title>" in html
    assert '<html lang="en">' in html


def test_files_appear_whole_and_leave_nothing_behind(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["maps.png", "report.html"]
    assert imread(folder / "maps.png").ndim == 3


def test_the_least_report_has_no_empty_section(report, tmp_path):
    bare = Report(title="bare", summary=[], maps=replace(report.maps, affine=None), provenance={})
    write_report(tmp_path, bare)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert html.count("<img") == 2
    assert "the sides are unknown" in html


def test_summary_is_the_median_and_quartiles_of_the_sound_voxels():
    """Those whose Fp is determined, whatever else is not; a model without vp is no worse for it."""
    values = np.array([10.0, 20, 30, 40, 50, 1000, 1000, np.nan])
    status = np.zeros(8, int)
    status[:5] = Status.NO_VP | Status.PS_AT_BOUND | Status.AT_BOUND | Status.VE_NOT_IDENTIFIABLE
    status[5], status[6] = Status.FP_AT_BOUND | Status.AT_BOUND, Status.NOT_CONVERGED
    status[7] = Status.OUTSIDE
    (row,) = summary_rows(Maps({"Fp": values}), status=status)
    assert row == ("Fp", "30.0 [20.0, 40.0]", "mL/100 mL/min", "71 %")
    (empty,) = summary_rows(Maps({"Fp": values}), status=np.full(8, int(Status.SATURATED)))
    assert (empty.value, empty.sound) == ("– [–, –]", "0 %")


def test_provenance_becomes_one_table_per_group():
    record = {"seed": 1, "options": {"a": {"b": [1, 2]}}, "inputs": [{"path": "x"}, {"path": "y"}]}
    assert provenance_tables(record) == [
        ("run", [("seed", "1")]),
        ("options", [("a.b", "1, 2")]),
        ("inputs", [("0.path", "x"), ("1.path", "y")]),
    ]


def test_a_browser_opens_it_without_an_error(folder, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("no chromium on PATH")
    quiet = "--disable-quic --no-first-run --disable-background-networking --disable-component-update"
    log = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-sync", *quiet.split(),
            f"--user-data-dir={tmp_path}", "--enable-logging=stderr", "--v=0", "--dump-dom",
            (folder / "report.html").as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "Perfusion of" in log.stdout  # the page was loaded
    assert not re.findall(r".*CONSOLE.*", log.stderr)
