"""tracerflow demo"""

from pathlib import Path


def demo(*, out: Path = Path("tracerflow-demo")) -> int:
    """Simulate a tissue phantom, estimate its perfusion, and show the maps beside the truth (about a minute).

    Parameters
    ----------
    out
        Folder for the results.
    """
    return 0
