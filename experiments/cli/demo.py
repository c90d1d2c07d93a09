"""tracerflow demo"""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from experiments.cli.progress import progress_bar
from experiments.commands.demo import Demo, error_rows, run_demo
from simulate.base.status import status_shares


def demo(*, out: Path = Path("tracerflow-demo"), seed: int = 0) -> int:
    """Simulate a phantom, estimate its perfusion, and show the maps beside the truth (half a minute).

    Parameters
    ----------
    out
        Folder for the results.
    seed
        Of the noise.
    """
    with progress_bar() as progress:
        result = run_demo(out, seed=seed, progress=progress)
    print_errors(result, out)
    return 0


def print_errors(result: Demo, out: Path) -> None:
    """How far each parameter is from the truth, where it is identified; the arterial input; where to look."""
    estimate = result.estimate
    table = Table(title=f"{estimate.method} against the truth, {result.voxels:,} voxels", title_justify="left")
    table.add_column("parameter")
    for column in ("median error", "5th to 95th percentile", "identified in"):
        table.add_column(column, justify="right")
    for row in error_rows(estimate.maps, result.truth):
        spread = f"{row.low:+.1f} to {row.high:+.1f} %"
        table.add_row(row.name, f"{row.median:+.1f} %", spread, f"{row.identified:.1f} % of voxels")
    console = Console()
    console.print(table)
    shares = {name: share for name, share in status_shares(estimate.status).items() if share > 0}
    console.print("Voxels: " + ", ".join(f"{100 * share:.1f} % {name}" for name, share in shares.items()))
    found, true, averaged = result.aif_peaks
    truth = f"truth {averaged:.2f} as an average over a frame, {true:.2f} at its height"
    assert estimate.aif is not None
    console.print(f"AIF: {estimate.aif.source}; plasma peak {found:.2f} mmol/L ({truth})")
    console.print(f"Report: {out / 'report.html'}")
