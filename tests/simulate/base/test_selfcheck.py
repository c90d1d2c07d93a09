"""This build of JAX computes correctly, and the checks would tell if it did not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulate.base import selfcheck
from simulate.base.selfcheck import environment, run_self_checks


def failed():
    return {result.name for result in run_self_checks() if not result.passed}


@pytest.mark.x64
def test_this_build_passes_every_check_in_both_precisions():
    results = run_self_checks()
    assert [r for r in results if not r.passed] == []
    assert {r.name.rpartition(", ")[2] for r in results} == {"float32", "float64"}
    assert jax.config.jax_enable_x64, "the checks leave the user's precision as it was"


def test_float64_is_checked_for_users_without_x64_too():
    assert failed() == set()
    assert not jax.config.jax_enable_x64


def test_one_wrong_element_is_caught(monkeypatch):
    """As jax 0.10.2 has it: the last of 32769 is wrong, all others are right."""
    right = jax.vmap

    def wrong_in_the_last(function):
        def mapped(rows):
            values = right(function)(rows)
            return values.at[-1].multiply(0.99) if len(rows) == 32769 else values

        return mapped

    monkeypatch.setattr(jax, "vmap", wrong_in_the_last)
    assert failed() == {f"matrix times rows (jax#39103), float{bits}" for bits in (32, 64)}


def test_nan_an_exception_and_a_lost_precision_are_failures(monkeypatch):
    def broken(*_, **options):
        raise RuntimeError("no such kernel\nlong story")

    monkeypatch.setattr(jnp.linalg, "svd", broken)
    monkeypatch.setattr(jax.lax, "associative_scan", lambda _, curves, axis: curves * np.nan)
    monkeypatch.setattr(jnp.fft, "irfftn", lambda *_, **options: jnp.zeros((16, 60, 45), jnp.float16))
    bad = {r.name.rpartition(",")[0]: r.detail for r in run_self_checks() if not r.passed}
    assert bad.keys() == {"singular values", "cumulative sums", "Fourier transform"}
    assert bad["singular values"] == "RuntimeError: no such kernel"


def test_the_environment_names_versions_and_devices(monkeypatch):
    found = environment()
    assert found["jax"] == jax.__version__
    assert found["x64"] == "false"
    assert jax.devices()[0].device_kind in found["devices"]
    monkeypatch.setattr(selfcheck, "PACKAGES", ("no-such-package",))
    assert environment()["no-such-package"] == "unknown"
