"""The setting that keeps jaxlib 0.10.1 from hanging is made for it alone, and before JAX compiles."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxlib.version import __version__ as jaxlib_version

from estimate.kinetics.fit import fit_kinetics
from simulate.base.runtime import avoid_known_hang, drop_programs_if_many, keep_freed_memory, programs_at_once
from tests.simulate.base.optimised import MODELS, numbers

ROOT = Path(__file__).parents[3]
PLAIN = (*MODELS, "signal", "t1")
FLAG = "--xla_cpu_enable_concurrency_optimized_scheduler"


@pytest.mark.parametrize(
    ("version", "before", "after"),
    [
        ("0.10.1", None, f"{FLAG}=false"),
        ("0.10.1", "--xla_dump_to=there", f"--xla_dump_to=there {FLAG}=false"),
        ("0.10.1", f"{FLAG}=true", f"{FLAG}=true"),  # the user's own word
        ("0.12.0", None, None),
    ],
)
def test_only_the_version_that_hangs_is_changed(version, before, after):
    environment = {} if before is None else {"XLA_FLAGS": before}
    avoid_known_hang(version, environment)
    assert environment.get("XLA_FLAGS") == after


def test_programs_on_one_thread_fill_the_processors_that_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 4, 7}, raising=False)
    assert programs_at_once() == 3
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(128)))
    assert programs_at_once() == 16


DIGITS = """
import jax
{first}
import simulate.base.errors
print(jax.config.jax_default_matmul_precision, jax.numpy.zeros(1).dtype, jax.numpy.zeros(1, "float64").dtype)
"""


@pytest.mark.parametrize(("first", "precision"), [("", "highest"), ("tensorfloat32", "tensorfloat32")])
def test_products_keep_float32s_digits_unless_the_user_wants_it_otherwise(first, precision):
    """On a GPU they would be rounded to eleven bits; 32 bits stay the default, float64 by name is float64."""
    said = first and f"jax.config.update('jax_default_matmul_precision', '{first}')"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    command = [sys.executable, "-c", DIGITS.format(first=said)]
    done = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == [precision, "float32", "float64"], done.stderr


def test_the_fit_multiplies_in_full():
    """The digits are a matter of the program, not of the machine it is built on."""
    times = np.arange(40.0)
    aif = np.exp(-times / 20)
    program = str(jax.make_jaxpr(lambda curves: fit_kinetics(curves, times, aif).tissue.Fp)(np.zeros((2, 40))))
    products = program.count("dot_general[")
    assert products > 0
    assert program.count("precision=(Precision.HIGHEST, Precision.HIGHEST)") == products


def test_what_the_compiler_optimises_computes_the_same(tmp_path):
    """Two ways to make kernels, one as users run it: a miscompilation (as of jaxlib 0.10.2) would be in one alone."""
    clean = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "JAX_ENABLE_X64")}
    command = [sys.executable, "-m", "tests.simulate.base.optimised", str(tmp_path / "found.npz")]
    done = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    optimised = np.load(tmp_path / "found.npz")
    for name, here in numbers().items():
        scale = np.median(np.abs(here))
        apart = np.abs(optimised[name] - here) / scale
        assert np.isfinite(here).all(), name
        # optima lie in flat valleys: float32 finds them to its square root
        assert np.quantile(apart, 0.95) < (2e-6 if name in PLAIN else 3e-3), name


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="memory mappings are a matter of Linux")
def test_programs_are_dropped_before_their_mappings_run_out():
    """A study of hours over inputs of many shapes ended with a segmentation fault at 65,530 of them."""

    def mappings():
        return Path("/proc/self/maps").read_bytes().count(b"\n")

    twice = jax.jit(lambda x: jnp.cumsum(jnp.sin(x)) * 2)
    results = [twice(np.ones(n, np.float32)) for n in range(20, 60)]
    before = mappings()
    assert not drop_programs_if_many(before + 1000)
    assert drop_programs_if_many(before - 1)
    assert mappings() < before - 40
    np.testing.assert_array_equal(twice(np.ones(59, np.float32)), results[-1])


MANY_BLOCKS = """
import numpy as np
import estimate, simulate
times = np.arange(0, 240, 4.0)
aif = simulate.parker_aif(times, haematocrit=0.42, onset=20.0)
rng = np.random.default_rng(0)
count = 9 * 32768
tissue = simulate.Tissue(*rng.uniform((0.002, 1e-4, 0.02, 0.1), (0.01, 3e-3, 0.1, 0.4), (2000, 4)).T, 0.02, 1.0)
clean = np.asarray(simulate.tissue_concentration(tissue, aif, times), np.float32)
curves = np.tile(clean, (count // 2000 + 1, 1))[:count]
curves += 0.005 * rng.standard_normal(curves.shape, np.float32)
for _ in range(30):
    assert np.isfinite(np.asarray(estimate.fit_kinetics(curves, times, aif, fit_delay=True).rss)).all()
"""


@pytest.mark.slow
def test_a_fit_of_many_blocks_always_returns():
    """Thirty calls of nine blocks; two blocks at a time, jaxlib 0.10.1 stopped about once in ten."""
    clean = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "JAX_ENABLE_X64")}
    done = subprocess.run([sys.executable, "-c", MANY_BLOCKS], env=clean, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr


REPEATED_FIT = """
import os
import numpy as np
import estimate, simulate
print(os.environ.get("XLA_FLAGS", ""), flush=True)
times = np.arange(0, 120, 2.0)
aif = simulate.parker_aif(times, haematocrit=0.42, onset=20.0)
rng = np.random.default_rng(0)
tissue = simulate.Tissue(*rng.uniform((0.002, 1e-4, 0.02, 0.1), (0.01, 3e-3, 0.1, 0.4), (40, 4)).T, 0.02, 1.0)
curves = np.asarray(simulate.tissue_concentration(tissue, aif, times)) + 0.005 * rng.standard_normal((40, 60))
for _ in range(30):
    fit = estimate.fit_kinetics(curves, times, aif, fit_delay=True, arterial_volume=True)
    assert np.isfinite(np.asarray(fit.rss)).all()
"""


@pytest.mark.slow
def test_a_fit_with_delay_and_arterial_volume_always_returns():
    """Thirty calls as users make them, in float32; without the setting jaxlib 0.10.1 stops within ten."""
    clean = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "JAX_ENABLE_X64")}
    done = subprocess.run([sys.executable, "-c", REPEATED_FIT], env=clean, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == (f"{FLAG}=false" if jaxlib_version == "0.10.1" else "")


PAGES_PER_CALL = """
import resource, sys
import jax, jax.numpy as jnp
from simulate.base.runtime import keep_freed_memory
print(keep_freed_memory({}) if sys.argv[1] == "keep" else "")
scratch = jax.jit(lambda x: jnp.sum(jnp.sort(x * x) * jnp.cumsum(x)))  # holds several copies of x
x = jnp.ones(4_000_000)
for _ in range(8):  # until the freed pieces fit
    scratch(x).block_until_ready()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    scratch(x).block_until_ready()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc's malloc")
def test_scratch_memory_is_not_fetched_anew_at_every_call():
    """A copy of x has 3,907 pages of 4 kB; kept, hardly any is new in later calls."""
    pages = {}
    for way in ("keep", "give back"):
        command = [sys.executable, "-c", PAGES_PER_CALL, way]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=clean)
        assert done.returncode == 0, done.stderr
        said, count = done.stdout.split("\n")[:2]
        assert said == ("True" if way == "keep" else "")
        pages[way] = int(count)
    assert pages["give back"] > 4 * 3_907
    assert pages["keep"] < 0.2 * pages["give back"]


def test_the_users_own_memory_settings_stay():
    assert not keep_freed_memory({"MALLOC_ARENA_MAX": "4"})
