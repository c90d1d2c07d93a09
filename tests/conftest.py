"""Every test in float32, as users compute, but those marked x64: their tolerances need digits that float32 lacks."""

import os
import shutil
import tempfile
from pathlib import Path

import jax
import pytest
from jaxlib.version import __version__ as jaxlib_version

os.environ.setdefault("MPLBACKEND", "Agg")
if jaxlib_version.startswith(("0.10.1", "0.12.")):  # a flag that a version does not know ends the process
    # Nearly all of the tests' time is compilation, of programs that run for milliseconds. With little optimisation and
    # with the compiler's other way to make kernels a fit compiles in less than half of it; XLA_FLAGS= pytest does as
    # users do. That what is optimised computes the same is a test (base/test_runtime.py). No optimisation at all (level
    # 0) together with that other way gives wrong derivatives (jaxlib 0.10.1): four tests of the kinetics say so.
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1 --xla_cpu_use_fusion_emitters=false")

if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # the processes of one run share what they compile
    os.environ["JAX_COMPILATION_CACHE_DIR"] = os.environ["_TESTS_OWN_CACHE"] = tempfile.mkdtemp(prefix="programs-")
jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)

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
    from tests.phantom import make_phantom  # not above: the type checks of these packages start after this file

    with jax.enable_x64(True):
        return make_phantom()


@pytest.fixture(scope="session")
def examination(phantom, tmp_path_factory):
    """Folder with that examination as files; tests that damage them copy it."""
    from tests.phantom import write_examination

    folder = tmp_path_factory.mktemp("examination")
    write_examination(folder, phantom)
    return folder


@pytest.fixture(autouse=True, scope="module")
def _few_programs():
    from simulate.base.runtime import drop_programs_if_many  # not above, as there

    yield
    drop_programs_if_many()


def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):  # the process that started the others
        shutil.rmtree(os.environ.get("_TESTS_OWN_CACHE", ""), ignore_errors=True)


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
