"""The report of an analysis: one self-contained HTML page and the picture of the maps beside it."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from estimate.kinetics.fit import IDENTIFIABLE
from estimate.maps.soundness import share_sound, sound
from experiments.report.figures.curves import (
    TypicalVoxel,
    aif_figure,
    fit_figure,
    histogram_figure,
    motion_figure,
    scatter_truth_figure,
    significant,
    status_figure,
)
from experiments.report.figures.maps import maps_figure
from experiments.report.figures.mask import mask_figure
from experiments.report.figures.motion import suspect_frames
from experiments.report.figures.scales import shown_names
from simulate.base.types import Maps
from simulate.base.units import clinical_unit
from simulate.files.atomic import write_atomically
from simulate.inputs.arterial_input import ArterialInput, describe_error

_DPI = 110


class SummaryRow(NamedTuple):
    """A line of the summary table: a quantity, its value as text, its unit, and the share of voxels that made it."""

    name: str
    value: str
    unit: str
    sound: str = ""


class Section(NamedTuple):
    """A figure with its heading, its place on the page and its words."""

    anchor: str
    title: str
    png: bytes
    alt: str
    caption: str

    @staticmethod
    def of(anchor: str, title: str, figure: Figure, alt: str, caption: str) -> "Section":
        return Section(anchor, title, _png(figure), alt, caption)

    @property
    def source(self) -> str:
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


@dataclass(frozen=True)
class Report:
    """All that the page shows; what is None or empty has no section.

    Attributes
    ----------
    title : str
        Heading of the page.
    summary : sequence of SummaryRow
        Such as `summary_rows` makes.
    maps : Maps
        In clinical units.
    provenance : dict
        Nested options, versions and inputs with checksums.
    status : (...) int array
        Bits of `Status`.
    shares : dict of float
        Share of voxels by primary status, see `status_shares`.
    aif : ArterialInput
        The arterial input that was used.
    true_aif : ArterialInput
        That which should have been.
    voxels : list of TypicalVoxel
        Fits of typical voxels.
    motion : tuple of (t,) arrays
        Times [s] of the frames, and correlation of each with the previous one.
    truth : Maps
        On the same grid, to compare with.
    warnings : list of str
        Sentences that the reader must not miss.
    mask : (...) bool array
        Voxels to show.
    more : list of Section
        Of this kind of analysis alone.
    """

    title: str
    summary: Sequence[SummaryRow]
    maps: Maps
    provenance: dict[str, Any]
    status: Any = None
    shares: dict[str, float] = field(default_factory=dict)
    aif: ArterialInput | None = None
    true_aif: ArterialInput | None = None
    voxels: list[TypicalVoxel] = field(default_factory=list)
    motion: tuple[Any, Any] | None = None
    truth: Maps | None = None
    warnings: list[str] = field(default_factory=list)
    mask: Any = None
    more: list[Section] = field(default_factory=list)


def mask_section(image: Any, mask: Any, affine: Any, source: str) -> Section:
    """Which voxels were estimated, on the mean image (*space)."""
    share = 100 * float(np.mean(mask))
    return Section.of(
        "mask", "Voxels estimated", mask_figure(image, mask, affine),
        f"Outline of the voxels estimated on the mean image: {source}.",
        f"Mask: {source}; {int(np.sum(mask)):,} voxels, {share:.0f} % of the image. It lies beside the maps as "
        "mask.nii.gz; all voxels are estimated where --mask is none.",
    )  # fmt: skip


def summary_rows(maps: Maps, *, names: Sequence[str] | None = None, status: Any = None) -> list[SummaryRow]:
    """Median and interquartile range of each map over the voxels in which it is sound.

    Parameters
    ----------
    maps : Maps
        In clinical units.
    names : sequence of str
        Which; those with a fixed range by default.
    status : (...) int array
        Bits of `Status`, for `estimate.sound`; without it all voxels count that have a value.

    Returns
    -------
    list of SummaryRow
        Name, median [quartiles] and unit as text, and the share of all estimated voxels that made them.
    """
    return [_summary_row(maps, name, status) for name in (names or shown_names(maps))]


def write_report(folder: Path, report: Report) -> None:
    """Write `maps.png` and `report.html` into an existing folder; each appears whole or not at all.

    Parameters
    ----------
    folder : path
        Where to.
    report : Report
        What they show.

    Raises
    ------
    InputError
        For a folder that does not exist.
    """
    sections = _sections(report)
    page = _environment().get_template("report.html.j2").render(
        report=report,
        sections=sections,
        provenance=provenance_tables(report.provenance),
    )  # fmt: skip
    write_atomically(folder / "maps.png", sections[0].png)
    write_atomically(folder / "report.html", page)


def provenance_tables(provenance: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """(heading, rows) of a nested record: one table per top-level group, deeper levels as dotted names."""
    groups = {key: value for key, value in provenance.items() if _is_nested(value)}
    plain = {key: value for key, value in provenance.items() if key not in groups}
    tables = [*([("run", plain)] if plain else []), *groups.items()]
    return [(heading, _flat_rows(group)) for heading, group in tables]


def _sections(report: Report) -> list[Section]:
    """The figures in reading order; the maps come first."""
    sections = [_maps_section(report)]
    if report.truth is not None:
        sections += _truth_sections(report, report.truth)
    sections.append(_histogram_section(report))
    if report.shares:
        sections.append(_status_section(report.shares))
    if report.aif is not None:
        frames = None if report.motion is None else report.motion[0]
        sections.append(_aif_section(report.aif, frames, report.true_aif))
    sections += report.more
    if report.voxels:
        sections.append(_fit_section(report.voxels))
    if report.motion is not None:
        sections.append(_motion_section(*report.motion))
    return sections


def _maps_section(report: Report) -> Section:
    maps = report.maps
    listed = ", ".join(f"{name} [{clinical_unit(name)}]" for name in shown_names(maps))
    return Section(
        "maps",
        "Maps",
        _png(maps_figure(maps, status=report.status, mask=report.mask)),
        f"Maps of {listed} on axial slices.",
        f"{_orientation_words(maps)} Colour ranges are the same in every report, unless a label names a wider one; "
        "grey voxels have no estimate. Slices are numbered from 0 as stored in the file.",
    )


def _orientation_words(maps: Maps) -> str:
    if maps.affine is None:
        return "The maps carry no affine, so the sides are unknown."
    return "Radiological convention: the viewer's left is the patient's right; anterior is up."


def _truth_sections(report: Report, truth: Maps) -> list[Section]:
    maps = report.maps
    names = [name for name in shown_names(maps) if name in truth.values]
    return [
        Section(
            "truth",
            "Estimate and truth",
            _png(maps_figure(maps, names=names, status=report.status, mask=report.mask, truth=truth)),
            f"Estimated and true maps of {', '.join(names)} and their difference.",
            "The difference is estimate minus truth: red where the estimate is too high. Where the maps hold "
            f"standard errors, the right column shows them: above {100 * IDENTIFIABLE:.0f} % of the estimate "
            "(pink) the data do not identify the parameter, and its error there is not the fit's fault.",
        ),
        Section(
            "scatter",
            "Agreement",
            _png(scatter_truth_figure(maps, truth, names)),
            f"Scatter plots of estimated against true {', '.join(names)}.",
            "The grey line is identity. Pink: voxels that do not identify the parameter. Of the others, "
            "black dots and bars are medians with 5th and 95th percentiles, and the titles give bias and "
            "RMSE in the unit of the axis. Points beyond a range are drawn on its edge.",
        ),
    ]


def _histogram_section(report: Report) -> Section:
    names = shown_names(report.maps)
    return Section(
        "distributions",
        "Distributions",
        _png(histogram_figure(report.maps, names, report.mask)),
        f"Histograms of {', '.join(names)}.",
        "Voxels inside the mask; the end bins hold the voxels beyond the range. The line is the median.",
    )


def _status_section(shares: dict[str, float]) -> Section:
    words = ", ".join(f"{name} {100 * share:.1f} %" for name, share in shares.items())
    return Section(
        "status",
        "Voxel status",
        _png(status_figure(shares)),
        f"Share of voxels by status: {words}.",
        "A voxel with several findings is counted once, by the most serious.",
    )


def _aif_section(aif: ArterialInput, series_times: Any, truth: ArterialInput | None) -> Section:
    peaks = f"Highest plasma concentration {significant(np.max(np.asarray(aif.curve)))} mmol/L"
    if truth is not None:
        peaks += f", of the truth {significant(np.max(np.asarray(truth.curve)))} mmol/L"
    return Section(
        "aif",
        "Arterial input",
        _png(aif_figure(aif, series_times=series_times, truth=truth)),
        f"Arterial plasma concentration in mmol/L against time in s: {aif.source}.",
        f"{peaks}. {describe_error(aif)}",
    )


def _fit_section(voxels: list[TypicalVoxel]) -> Section:
    return Section(
        "voxels",
        "Typical voxels",
        _png(fit_figure(voxels)),
        "; ".join(f"{voxel.label}: {voxel.text}" for voxel in voxels),
        "Measured concentration, the fitted model and, below, the residual (measured minus fitted). "
        "Parameters with their standard errors; brackets hold the voxel as stored, from 0.",
    )


def _motion_section(times: Any, correlation: Any) -> Section:
    correlation = np.asarray(correlation, float)
    suspect = [str(k) for k in np.flatnonzero(suspect_frames(correlation))]
    found = f"Look at frames {', '.join(suspect)} (from 0)." if suspect else "No frame stands out."
    return Section(
        "motion",
        "Motion check",
        _png(motion_figure(times, correlation)),
        f"Correlation of each frame with the previous one. {found}",
        f"{found} Motion is not corrected. Contrast lowers the correlation for several frames as it arrives, "
        "motion for one or two.",
    )


def _summary_row(maps: Maps, name: str, status: Any) -> SummaryRow:
    values = np.asarray(maps[name], float)
    inside = values[np.isfinite(values) if status is None else sound(maps, status, name)]
    quartiles = np.percentile(inside, (25, 50, 75)) if inside.size else np.full(3, np.nan)
    low, median, high = (significant(q) for q in quartiles)
    percent = 0.0 if status is None else 100 * share_sound(maps, status, name)
    share = "" if status is None else f"{percent:.0f} %" if percent >= 1 else f"{percent:.1g} %"
    return SummaryRow(name, f"{median} [{low}, {high}]", clinical_unit(name), share)


def _flat_rows(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Leaves of nested dicts and lists of dicts as (dotted name, text)."""
    if not _is_nested(value):
        return [(name, _text(value))]
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    return [row for key, part in parts for row in _flat_rows(part, f"{name}.{key}" if name else str(key))]


def _is_nested(value: Any) -> bool:
    """Whether the value is a dict or a list of dicts."""
    return isinstance(value, dict) or (
        isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value)
    )


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value)
    return str(value)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("experiments.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
