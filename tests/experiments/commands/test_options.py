"""What `estimate` says of its arguments reaches the user of the command line in the options that he typed."""

import ast
import re
from pathlib import Path

import pytest

import estimate
import simulate
from experiments.commands.options import errors_in_options, in_options
from simulate.base.errors import InputError


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("give `t1_blood`", "give --t1-blood"),
        ('add `scale="asl"`, or leave `cbf` out', "add --scale asl, or leave --cbf out"),
        ("give `cbf=cbf`", "give --cbf cbf.nii.gz"),
        ("give `calibration=m0scan`", "give --m0 m0scan.nii.gz"),
        ("say it with `kind=blood|plasma`", "say it with --aif-is blood|plasma"),
        ("(`baseline=N`)", "(--set BaselineVolumes=N)"),
        ("is 3, and must be in 1 to 2", "is 3, and must be in 1 to 2"),
    ],
)
def test_arguments_become_options(said, shown):
    assert in_options(said) == shown


@pytest.mark.parametrize(
    ("where", "shown"),
    [("aif_t1", "--aif-t1"), ("grey, white", "--grey, --white"), ("a, b.nii.gz", "a, b.nii.gz"), ("series", "series")],
)
def test_an_error_points_to_the_option(where, shown):
    with pytest.raises(InputError) as caught, errors_in_options():
        raise InputError(where, "field", "has no `fit_delay`", "leave it out")
    assert str(caught.value) == f"{shown}: field: has no --fit-delay; leave it out"


@pytest.mark.parametrize("floor", [estimate, simulate])
def test_the_floors_below_speak_of_arguments_alone(floor):
    """No sentence names an option, but where it gives a whole command line of `tracerflow`.

    The sidecars' readers do: that --set gave a value is written into results as its origin.
    """
    paths = [path for path in Path(floor.__file__).parent.rglob("*.py") if path.parent.name != "bids"]
    assert len(paths) > 50
    for path in paths:
        nodes = list(ast.walk(ast.parse(path.read_text())))
        docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        parts = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in nodes:
            if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in docstrings | parts:
                text = ast.unparse(node)
                assert "tracerflow" in text or not re.search(r"--[a-z]", text), (path, text)
