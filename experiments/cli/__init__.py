"""The command line: a thin skin over functions that a notebook can call as well."""

import os
import sys
from collections.abc import Sequence

# Every program that comes from the cache is greeted by lines about features that no processor has. What goes wrong in
# XLA is raised as well. It reads this when it is loaded, so it stands above the imports that load it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from cyclopts import App, CycloptsError

from simulate.base.compilation_cache import keep_programs
from simulate.base.errors import InputError
from simulate.base.runtime import keep_freed_memory, platform_problem
from simulate.base.selfcheck import environment

NO_CACHE = "--no-compilation-cache"

app = App(
    name="tracerflow",
    help="Physics-informed DCE-MRI and ASL perfusion: simulate, estimate, classify.",
    help_epilogue=f"{NO_CACHE}, anywhere: compile anew, and leave nothing in the user's cache folder.",
    version=lambda: environment()["tracerflow"],
    help_format="plaintext",
    suppress_keyboard_interrupt=False,  # `run` says what an interrupted run leaves
)
# by name: a command imports what it needs, and nothing that others do
for name, where, words in (
    ("demo", "demo:demo", "Simulate a phantom, estimate its perfusion, and show the maps beside the truth."),
    ("simulate", "simulate:simulate_app", "Examinations whose truth is known."),
    ("estimate", "estimate:estimate_app", "Perfusion maps from a measured series."),
    ("train", "train:train_app", "Estimators that learn from the simulator."),
    ("experiment", "experiment:experiment", "Run a study and write its tables and figures."),
    ("check", "check:check", "Print versions and devices, and test that this JAX build computes correctly."),
):
    app.command(f"experiments.cli.{where}", name=name, help=words)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0 well, 1 failed check or file system, 2 wrong input, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    given = [each for each in given if each != NO_CACHE]
    if not {"--help", "-h", "--version"} & set(given) and (problem := platform_problem()):
        return _say(problem, 2)
    try:
        result = app(given, exit_on_error=False, print_error=False, result_action="return_value")
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
    if NO_CACHE not in sys.argv:
        keep_programs()
    sys.exit(run())
