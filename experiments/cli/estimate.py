"""tracerflow estimate dce|asl"""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

from estimate.asl.examination import ASLOptions
from estimate.asl.quantify import ASLEstimate
from estimate.signal.voxels import Estimate
from experiments.cli.progress import progress_bar
from experiments.commands.estimate_asl import ASLFiles, estimate_asl
from experiments.commands.estimate_dce import estimate_dce, estimated_names
from experiments.commands.read_dce import DCEOptions
from experiments.report.page import summary_rows
from simulate.base.status import Status, status_shares

estimate_app = App(name="estimate", help="Perfusion maps from a measured series.", help_format="plaintext")

Many = Annotated[list[str] | None, Parameter(name="--set", negative="")]
Files = Annotated[list[Path], Parameter(negative="")]
ManyFiles = Annotated[list[Path] | None, Parameter(negative="")]
Flag = Parameter(negative="")


@estimate_app.command(name="dce")
def dce(
    series: Files,
    /,
    *,
    out: Path,
    method: Literal["2cxm", "2cum", "etm", "tofts", "patlak", "auto", "dp", "aath", "qtmnet", "qtm"] = "2cxm",
    quantity: Literal["signal", "concentration"] = "signal",
    aif: str = "auto",
    aif_is: Literal["blood", "plasma"] | None = None,
    aif_t1: str = "measured",
    haematocrit: float | None = None,
    fit_delay: Annotated[bool, Flag] = False,
    arterial_volume: Annotated[bool, Flag] = False,
    vfa: ManyFiles = None,
    t10: str | None = None,
    b1: Path | None = None,
    mask: str = "auto",
    r2star: float = 0.0,
    relaxivity: float | None = None,
    scale: Literal["population", "vessels", "asl"] = "population",
    cbf: Path | None = None,
    weights: Path | None = None,
    set_: Many = None,
) -> int:
    """Perfusion of a 4-D DCE-MRI series, fitted or by a network: maps, AIF, maps.json, maps.png, report.html.

    Parameters
    ----------
    series
        4-D NIfTI with its JSON sidecar (TR, flip angle, VolumeTiming; see docs/guide/sidecar.md); or one file for each
        frame, in the order of time, with VolumeTiming or AcquisitionTime in each sidecar.
    out
        Folder for the results.
    method
        Kinetic model; auto chooses by AICc voxel by voxel, dp and aath are slower; qtmnet and qtm need no AIF.
    quantity
        What the series holds: signal, or concentration in mmol/L.
    aif
        Arterial input: auto (found in the images), parker, georgiou, a curve.csv or a roi.nii.gz; seg.nii.gz:1 is
        label 1 of a segmentation.
    aif_is
        Whether a curve.csv that does not say so holds blood or plasma.
    aif_t1
        T1 before contrast where the AIF is measured: measured (as --vfa or --t10 has it), blood, or seconds.
    haematocrit
        Haematocrit of the large vessels, over the sidecar's.
    fit_delay
        Also fit the delay between AIF and tissue.
    arterial_volume
        Also fit the arterial plasma volume va.
    vfa
        Variable-flip-angle images with sidecar, for T1; may be repeated, once for each angle's file.
    t10
        T1 before contrast: seconds, or a map.
    b1
        Map of the transmit field relative to nominal.
    mask
        Voxels to estimate: auto (tissue, found in the images), none (all), or an image, of which seg.nii.gz:2 takes
        label 2; for qtmnet all tissue, since it reads the input from it, and not a tumour alone.
    r2star
        Transverse relaxivity [1/(s mmol/L)], to correct for T2* at the sidecar's EchoTime; 0 does not.
    relaxivity
        Longitudinal relaxivity [1/(s mmol/L)], over the sidecar's.
    scale
        Of qtmnet and qtm: where absolute values come from; vessels takes the area of --aif, asl that of --cbf.
    cbf
        Map of CBF [mL/100 g/min] on the series' grid, for --scale asl; of results of `estimate asl` only voxels that
        the status.nii.gz beside it calls sound are used.
    weights
        Of qtmnet, as train qtmnet writes them; those that ship by default.
    set_
        Field=value, over the sidecar's; vfa.Field=value over that of --vfa. May be repeated, and is recorded.
    """
    options = DCEOptions(
        series if len(series) > 1 else series[0], out, method, quantity, aif, aif_is, aif_t1, haematocrit, fit_delay,
        arterial_volume, vfa, t10, b1, r2star, mask, relaxivity, scale, cbf, weights, set_ or [],
    )  # fmt: skip
    with progress_bar() as progress:
        estimate = estimate_dce(options, progress)
    print_summary(estimate, out)
    return 0


@estimate_app.command(name="asl")
def asl(
    series: Path,
    /,
    *,
    out: Path,
    method: Literal["white_paper", "multi_delay", "qtmnet"] | None = None,
    model: Literal["recommended", "gkm", "two_compartment"] = "recommended",
    arterial: Annotated[bool, Flag] = False,
    m0: Path | None = None,
    mask: str = "auto",
    context: Path | None = None,
    grey: Path | None = None,
    white: Path | None = None,
    correct_m0: bool = True,
    t1_blood: float | None = None,
    t1_tissue: float | None = None,
    partition_coefficient: float | None = None,
    weights: Path | None = None,
    set_: Many = None,
) -> int:
    """Cerebral blood flow of an ASL series after BIDS: CBF, with several delays ATT, maps.json, maps.png, report.html.

    Parameters
    ----------
    series
        4-D NIfTI with its JSON sidecar and aslcontext.tsv, beside it or inherited as in BIDS.
    out
        Folder for the results.
    method
        white_paper (one delay), multi_delay, or qtmnet (three delays and more); by default the first or second, as the
        delays allow.
    model
        Of multi_delay: recommended (label decays as in blood), gkm (as in tissue once it arrived), two_compartment.
    arterial
        Also fit label in arteries: aBV and aBAT.
    m0
        Separate M0 image with its sidecar; by default the m0scan beside the series, or the one whose IntendedFor names
        the series.
    mask
        Voxels to quantify: auto (M0 above a quarter of its 99th percentile), none (all), or an image, of which
        seg.nii.gz:2 takes label 2.
    context
        Table of the volumes' types, where it is neither beside the series nor inherited.
    grey
        Share of grey matter in every voxel, for partial volume correction; with --white.
    white
        Share of white matter.
    correct_m0
        Correct M0 for a TR below 5 s.
    t1_blood
        T1 of blood [s], over that of the field.
    t1_tissue
        T1 of tissue [s], of gkm and two_compartment.
    partition_coefficient
        Of water between tissue and blood [mL/g].
    weights
        Of qtmnet: a file of `tracerflow train qtmnet-asl`; by default the network that ships.
    set_
        Field=value, over the sidecar's; m0scan.Field=value over that of M0. May be repeated, and is recorded.
    """
    how = ASLOptions(
        method, model, arterial, correct_m0, t1_blood, t1_tissue, partition_coefficient, weights=weights
    )  # fmt: skip
    with progress_bar() as progress:
        found = estimate_asl(ASLFiles(series, out, how, m0, mask, context, grey, white, set_ or []), progress)
    print_asl(found, out)
    return 0


def print_asl(found: ASLEstimate, out: Path) -> None:
    """The equation, every constant with its origin, medians, warnings, and where the report lies."""
    inside = found.status != int(Status.OUTSIDE)
    console = Console()
    console.print(found.equation, highlight=False)
    constants = Table(title="constants")
    for column in ("name", "value", "unit", "from"):
        constants.add_column(column)
    for constant in found.constants:
        constants.add_row(constant.name, f"{constant.value:g}", constant.unit, constant.origin)
    console.print(constants)
    table = Table(title=_title(found.method, found.status))
    for column in ("map", "median [quartiles]", "unit", "sound voxels"):
        table.add_column(column)
    for row in summary_rows(found.maps, status=found.status):
        table.add_row(*row)
    console.print(table)
    console.print(f"CBF: mean {_mean(found.maps['CBF'][inside])} mL/100 g/min over all {int(inside.sum()):,} voxels")
    console.print(f"Negative: {100 * found.negative:.1f} % of the voxels")
    _print_end(console, found.warnings, found.status, out)


def print_summary(estimate: Estimate, out: Path) -> None:
    """Medians with quartiles, the AIF, the share of voxels by status, and where the report lies."""
    table = Table(title=_title(estimate.method, estimate.status))
    for column in ("map", "median [quartiles]", "unit", "sound voxels"):
        table.add_column(column)
    for row in summary_rows(estimate.maps, names=estimated_names(estimate), status=estimate.status):
        table.add_row(*row)
    console = Console()
    console.print(table)
    if estimate.aif is not None:
        console.print(f"AIF: {estimate.aif.source}; plasma peak {float(max(estimate.aif.curve)):.2f} mmol/L")
    if "scale" in estimate.facts:
        console.print(f"Scale: {estimate.facts['scale']['source']}")
    _print_end(console, estimate.warnings, estimate.status, out)


def _title(method: str, status: np.ndarray) -> str:
    return f"{method}, {int(np.sum(status != int(Status.OUTSIDE))):,} voxels; medians over those that are sound"


def _mean(values: np.ndarray) -> str:
    finite = values[np.isfinite(values)]
    return f"{finite.mean():.2f}" if finite.size else "none"


def _print_end(console: Console, warnings: list[str], status: np.ndarray, out: Path) -> None:
    for warning in warnings:
        console.print(f"Warning: {warning}")
    shares = {name: share for name, share in status_shares(status).items() if share > 0}
    console.print("Voxels: " + ", ".join(f"{100 * share:.1f} % {name}" for name, share in shares.items()))
    console.print(f"Report: {out / 'report.html'}")
