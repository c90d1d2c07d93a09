"""tracerflow train qtmnet"""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from experiments.cli.progress import progress_bar
from experiments.train_config import config_help, read_config
from experiments.train_qtmnet import WEIGHTS, train_qtmnet
from simulate.base.errors import InputError

train_app = App(name="train", help="Estimators that learn from the simulator.", help_format="plaintext")

Flag = Parameter(negative="")


@train_app.command(name="qtmnet")
def qtmnet(
    config: Path | None = None,
    /,
    *,
    out: Path | None = None,
    resume: Annotated[bool, Flag] = False,
    print_config: Annotated[bool, Flag] = False,
) -> int:
    """Train QTMnet on simulated phantoms: weights, log, loss curves; a killed run goes on with --resume.

    Parameters
    ----------
    config
        TOML file; without one, the defaults that --print-config prints (hours on a CPU).
    out
        Folder for phantoms, checkpoint, log and weights.
    resume
        Go on from the folder's last checkpoint, as if nothing had happened.
    print_config
        Print every key with its default and range, and end.
    """
    if print_config:
        print(config_help())
        return 0
    if out is None:
        raise InputError("--out", "", "is missing", "name the folder to train in")
    options = read_config(config)
    with progress_bar() as progress:
        trained = train_qtmnet(options, out, resume=resume, progress=progress)
    covering = ", ".join(f"{name} {value:.2f}" for name, value in trained.widening.items())
    print(f"weights in {out / WEIGHTS}; 90 % intervals are value ± q sigma with q: {covering}")
    return 0
