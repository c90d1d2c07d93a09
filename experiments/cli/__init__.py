"""The command line: a thin skin over functions that a notebook can call as well."""

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from experiments.cli.check import check
from experiments.cli.demo import demo
from experiments.cli.estimate import estimate_app
from experiments.cli.experiment import experiment
from experiments.cli.simulate import simulate_app
from experiments.cli.train import train_app
from simulate.base.errors import InputError
from simulate.base.runtime import keep_freed_memory, platform_problem
from simulate.base.selfcheck import environment

app = App(
    name="tracerflow",
    help="Physics-informed DCE-MRI and ASL perfusion: simulate, estimate, classify.",
    version=lambda: environment()["tracerflow"],
    help_format="plaintext",
    suppress_keyboard_interrupt=False,  # `run` says what an interrupted run leaves
)
app.command(demo, name="demo")
app.command(simulate_app)
app.command(estimate_app)
app.command(train_app)
app.command(experiment, name="experiment")
app.command(check, name="check")


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0 well, 1 failed check or file system, 2 wrong input, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not {"--help", "-h", "--version"} & set(given) and (problem := platform_problem()):
        return _say(problem, 2)
    try:
        result = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except InputError as error:
        return _say(str(error), 2)
    except CycloptsError as error:
        return _say(f"{' '.join(str(error).split()).rstrip('.')}; see tracerflow --help", 2)
    except OSError as error:  # a full disk, a folder taken away: the files written so far are whole
        return _say(f"{error.filename or 'output'}: {error.strerror or error}; free or restore it and run again", 1)
    except KeyboardInterrupt:
        return _say("interrupted; every file written so far is whole", 130)
    return result if isinstance(result, int) else 0


def _say(message: str, code: int) -> int:
    print(f"tracerflow: {message}", file=sys.stderr)
    return code


def main() -> None:
    keep_freed_memory()
    sys.exit(run())
