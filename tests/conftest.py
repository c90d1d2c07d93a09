"""Strict numerics for every test: float64, no silent rank promotion surprises, warnings are errors."""

import gc
import os
from pathlib import Path

import jax
import pytest

jax.config.update("jax_enable_x64", True)
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


@pytest.fixture(autouse=True)
def _float32_where_marked(request):
    """Tests marked float32 run as users do, without x64."""
    if request.node.get_closest_marker("float32") is None:
        yield
        return
    jax.config.update("jax_enable_x64", False)
    yield
    jax.config.update("jax_enable_x64", True)
