"""What the floors offer: every name is there, none hides a module, and nobody waits for what he does not use."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

FLOORS = {"simulate": 30, "estimate": 30, "classify": 4, "experiments": 10}
"""Each with a number of names that it has at the least."""


@pytest.mark.parametrize("floor", FLOORS)
def test_every_name_is_there_and_none_hides_a_module(floor):
    package = importlib.import_module(floor)
    assert len(set(package.__all__)) == len(package.__all__) > FLOORS[floor]
    for name in package.__all__:
        assert getattr(package, name) is not None
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    assert not modules & set(package.__all__)


@pytest.mark.parametrize("floor", FLOORS)
def test_rooms_offer_no_second_way_to_a_name(floor):
    """A room re-exports nothing: what stands in it is a module."""
    package = importlib.import_module(floor)
    for module in pkgutil.walk_packages(package.__path__, f"{floor}."):
        if module.ispkg and module.name != "experiments.cli":  # the program itself, which pyproject.toml names
            room = importlib.import_module(module.name)
            inside = {each.name for each in pkgutil.iter_modules(room.__path__)}
            assert {n for n in vars(room) if not n.startswith("_")} <= inside | {"prepare", "jaxtyping"}


def test_importing_a_floor_loads_no_library():
    program = """
import sys, simulate, estimate, classify, experiments
print(*{"jax", "flax", "scipy", "h5py", "matplotlib", "numpy", "cyclopts"} & set(sys.modules))
from estimate import fit_kinetics
print(*{"flax", "optax", "jaxopt", "h5py", "matplotlib"} & set(sys.modules))
from experiments import maps_figure
print(*{"flax", "optax", "jaxopt", "h5py", "jinja2", "cyclopts"} & set(sys.modules))
"""
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert out.stdout.split() == []
