"""Questions asked with the floors below: files to maps and a report, figures, the demonstration, the studies."""

from .commands.demo import run_demo
from .commands.estimate_asl import ASLFiles, estimate_asl
from .commands.estimate_dce import estimate_dce
from .commands.read_dce import DCEOptions
from .report.figures.asl import differences_figure
from .report.figures.attribution import attribution_figure
from .report.figures.curves import aif_figure, scatter_truth_figure
from .report.figures.maps import maps_figure
from .report.figures.simulation import frames_figure, vessels_figure
from .report.page import Report, summary_rows, write_report
from .studies.registry import STUDIES
from .studies.runner import run_study

__all__ = [
    # files in, maps and a report out, as the command line does it
    "run_demo",
    "estimate_dce",
    "DCEOptions",
    "estimate_asl",
    "ASLFiles",
    # figures of what was estimated
    "maps_figure",
    "aif_figure",
    "scatter_truth_figure",
    "differences_figure",
    # an attribution over an image
    "attribution_figure",
    # figures of what was simulated
    "vessels_figure",
    "frames_figure",
    # a report of one's own
    "Report",
    "summary_rows",
    "write_report",
    # studies
    "run_study",
    "STUDIES",
]
