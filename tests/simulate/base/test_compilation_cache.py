"""The folder of compiled programs: used where it can be, done without where it cannot."""

import os
import subprocess
import sys

import jax
import pytest

from simulate.base.compilation_cache import keep_programs

PROGRAM = "from simulate.base.compilation_cache import keep_programs; keep_programs(); import jax; jax.jit(abs)(1.0)"


@pytest.fixture
def settings():
    names = (
        "jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs",
        "jax_persistent_cache_min_entry_size_bytes",
    )  # fmt: skip
    before = {name: getattr(jax.config, name) for name in names}
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def test_a_folder_that_cannot_be_made_is_done_without(tmp_path, monkeypatch, settings):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    before = jax.config.jax_compilation_cache_dir
    assert keep_programs({}) is None
    assert jax.config.jax_compilation_cache_dir == before


def test_a_folder_of_the_users_own_stays(tmp_path):
    before = jax.config.jax_compilation_cache_dir
    assert keep_programs({"JAX_COMPILATION_CACHE_DIR": str(tmp_path)}) == tmp_path
    assert jax.config.jax_compilation_cache_dir == before


def test_programs_are_left_in_the_users_cache_folder(tmp_path):
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True)
    assert list((tmp_path / "tracerflow").glob("jaxlib-*/jit_*"))
