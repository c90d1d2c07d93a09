"""Every test in float32, as users compute, but those marked x64: their tolerances need digits that float32 lacks."""

import gc
import os
from pathlib import Path

import jax
import pytest

os.environ.setdefault("MPLBACKEND", "Agg")
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def shared_data():
    """Folder of real data that is not part of the project; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("real data (shared/data) is not on this machine")
    return SHARED


@pytest.fixture(scope="session")
def phantom():
    """One small DCE examination with its truth, shared by all tests that go from series to maps."""
    from tests.phantom import (
        make_phantom,
    )  # not above: the type checks of these packages start after this file

    with jax.enable_x64(True):
        return make_phantom()


@pytest.fixture(scope="session")
def examination(phantom, tmp_path_factory):
    """Folder with that examination as files; tests that damage them copy it."""
    from tests.phantom import write_examination

    folder = tmp_path_factory.mktemp("examination")
    write_examination(folder, phantom)
    return folder


MAPPINGS = 35_000
"""Memory mappings of this process at which compiled programs are dropped: each one holds several, and Linux gives a
process 65,530 (vm.max_map_count); the next program after them would crash it."""


@pytest.fixture(autouse=True, scope="module")
def _few_mappings():
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MAPPINGS:
        jax.clear_caches()
        gc.collect()


def _x64(node):
    return node.get_closest_marker("x64") is not None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    jax.config.update("jax_enable_x64", _x64(item))


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    """What tests of a module share is made in the precision of the module's mark, whichever test comes first."""
    with jax.enable_x64(_x64(request.node)):
        return (yield)
