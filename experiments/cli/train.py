"""tracerflow train qtmnet|qtmnet-asl"""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from experiments.cli.progress import progress_bar
from experiments.commands.train_qtmnet import calibrate_qtmnet, train_qtmnet, weights_file
from experiments.config.toml import as_toml, read_toml
from experiments.config.train import QTMnetASLConfig, QTMnetConfig, TrainConfig
from simulate.base.errors import InputError

train_app = App(name="train", help="Estimators that learn from the simulator.", help_format="plaintext")

Flag = Parameter(negative="")


def _train(
    kind: type[TrainConfig], config: Path | None, out: Path | None, resume: bool, calibrate: Path | None,
    print_config: bool,
) -> int:  # fmt: skip
    if print_config:
        print(as_toml(kind()))
        return 0
    if out is None:
        raise InputError("--out", "", "is missing", "name the folder to train in")
    if calibrate is not None and resume:
        raise InputError("--calibrate", "", "is given with --resume", "leave out one of them")
    options = read_toml(config, kind)
    with progress_bar() as progress:
        if calibrate is not None:
            trained = calibrate_qtmnet(options, calibrate, out, progress=progress)
        else:
            trained = train_qtmnet(options, out, resume=resume, progress=progress)
    covering = ", ".join(f"{name} {value:.2f}" for name, value in trained.spread_factor.items())
    print(f"weights in {out / weights_file(kind.tracer)}; 90 % intervals are value ± q sigma with q: {covering}")
    return 0


@train_app.command(name="qtmnet")
def qtmnet(
    config: Path | None = None,
    /,
    *,
    out: Path | None = None,
    resume: Annotated[bool, Flag] = False,
    calibrate: Path | None = None,
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
    calibrate
        Weights that are trained already: only calibrate them, with the configuration's phantoms for that.
    print_config
        Print every key with its default and range, and end.
    """
    return _train(QTMnetConfig, config, out, resume, calibrate, print_config)


@train_app.command(name="qtmnet-asl")
def qtmnet_asl(
    config: Path | None = None,
    /,
    *,
    out: Path | None = None,
    resume: Annotated[bool, Flag] = False,
    calibrate: Path | None = None,
    print_config: Annotated[bool, Flag] = False,
) -> int:
    """Train QTMnet for spin labelling on the same phantoms: a multi-delay series to CBF and arrival time.

    Parameters
    ----------
    config
        TOML file; without one, the defaults that --print-config prints (an hour on a CPU).
    out
        Folder for phantoms, checkpoint, log and weights.
    resume
        Go on from the folder's last checkpoint, as if nothing had happened.
    calibrate
        Weights that are trained already: only calibrate them, with the configuration's phantoms for that.
    print_config
        Print every key with its default and range, and end.
    """
    return _train(QTMnetASLConfig, config, out, resume, calibrate, print_config)
