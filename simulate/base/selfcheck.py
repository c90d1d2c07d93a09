"""Does this build of JAX compute correctly on this machine? Each check compares with NumPy.

jax 0.10.2 gives silently wrong numbers on CPU (jax-ml/jax#39103). No version number tells what a machine's
own build does, so the suspect computations are run, with the sizes at which that build fails.
"""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import jax
import jax.numpy as jnp
import numpy as np

ROWS = (16385, 32768, 32769)
"""Batch sizes at which jax 0.10.2 errs: float64 at the first two, float32 at the last."""

PACKAGES = ("tracerflow", "jax", "jaxlib", "numpy", "scipy", "nibabel", "flax")


@dataclass(frozen=True)
class CheckResult:
    """Outcome of one check: its name, whether it passed, and the largest error found (or the exception)."""

    name: str
    passed: bool
    detail: str


def environment() -> dict[str, str]:
    """Versions, platform and devices on which numbers are computed."""
    devices = jax.devices()
    return {
        **{name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "devices": f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})",
        "x64": str(bool(jax.config.read("jax_enable_x64"))).lower(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def run_self_checks() -> list[CheckResult]:
    """Run every check in float32 and float64, a few seconds in all."""
    return [_run(name, check, dtype) for name, check in CHECKS.items() for dtype in (np.float32, np.float64)]


def _run(name: str, check: Callable[[np.random.Generator, type], float], dtype: type) -> CheckResult:
    label = f"{name}, {np.dtype(dtype).name}"
    with jax.enable_x64(dtype is np.float64):
        try:
            error = check(np.random.default_rng(0), dtype)
        except Exception as failure:  # a build that cannot run the check has failed it
            return CheckResult(label, False, f"{type(failure).__name__}: {failure}".partition("\n")[0])
    tolerance = 1e3 * float(np.finfo(dtype).eps)
    passed = error <= tolerance  # False for NaN
    return CheckResult(label, passed, f"relative error {error:.1e} (allowed {tolerance:.1e})")


def _relative_error(computed: jax.Array, expected: np.ndarray) -> float:
    """Largest deviation over the largest expected value; a wrong precision counts as infinitely wrong."""
    if computed.dtype != expected.dtype:
        return np.inf
    return float(np.max(np.abs(np.asarray(computed) - expected)) / np.max(np.abs(expected)))


def _matrix_times_rows(rng: np.random.Generator, dtype: type) -> float:
    """The reproducer of jax-ml/jax#39103: |M row|^2 for each row, wrong in the last of many."""
    matrix = rng.standard_normal((3, 3)).astype(dtype)
    squared_norms = jax.jit(jax.vmap(lambda row: jnp.sum((matrix @ row) ** 2)))
    errors = []
    for n in ROWS:
        rows = rng.standard_normal((n, 3)).astype(dtype)
        errors.append(_relative_error(squared_norms(rows), np.sum((rows @ matrix.T) ** 2, axis=1)))
    return float(np.max(errors))


def _singular_values(rng: np.random.Generator, dtype: type) -> float:
    matrices = rng.standard_normal((64, 12, 8)).astype(dtype)
    values = jax.jit(lambda m: jnp.linalg.svd(m, compute_uv=False))(matrices)
    return _relative_error(values, np.linalg.svd(matrices, compute_uv=False))


def _fourier_transform(rng: np.random.Generator, dtype: type) -> float:
    """Forward against NumPy and back to the start; 60 is no power of two."""
    image = rng.standard_normal((16, 60, 45)).astype(dtype)
    spectrum = jax.jit(jnp.fft.rfftn)(image)
    back = jax.jit(lambda s: jnp.fft.irfftn(s, s=image.shape))(spectrum)
    return max(_relative_error(spectrum, np.fft.rfftn(image).astype(spectrum.dtype)), _relative_error(back, image))


def _interpolation(rng: np.random.Generator, dtype: type) -> float:
    """Search in an uneven time axis and interpolate, as every arterial input is."""
    times = np.cumsum(rng.uniform(0.5, 2.0, 300)).astype(dtype)
    curve = rng.standard_normal(300).astype(dtype)
    queries = rng.uniform(times[0], times[-1], 20000).astype(dtype)
    index = np.searchsorted(times, queries)
    found = jax.jit(jnp.searchsorted)(times, queries)
    if not np.array_equal(found, index):
        return np.inf
    return _relative_error(jax.jit(jnp.interp)(queries, times, curve), np.interp(queries, times, curve).astype(dtype))


def _cumulative_sums(rng: np.random.Generator, dtype: type) -> float:
    curves = rng.standard_normal((500, 257)).astype(dtype)
    sums = jax.jit(lambda c: jax.lax.associative_scan(jnp.add, c, axis=1))(curves)
    return _relative_error(sums, np.cumsum(curves, axis=1))


def _recursion(rng: np.random.Generator, dtype: type) -> float:
    """A decaying tracer driven by an input, step by step: y <- y/2 + x."""
    inputs = rng.standard_normal((100, 333)).astype(dtype)

    def step(state, value):
        state = state / 2 + value
        return state, state

    _, states = jax.jit(lambda x: jax.lax.scan(step, jnp.zeros_like(x[0]), x))(inputs)
    expected = np.empty_like(inputs)
    state = np.zeros_like(inputs[0])
    for i, value in enumerate(inputs):
        state = expected[i] = state / 2 + value
    return _relative_error(states, expected)


CHECKS = {
    "matrix times rows (jax#39103)": _matrix_times_rows,
    "singular values": _singular_values,
    "Fourier transform": _fourier_transform,
    "search and interpolation": _interpolation,
    "cumulative sums": _cumulative_sums,
    "recursion": _recursion,
}
