"""Settings of the numerical runtime that must stand before JAX compiles anything."""

import ctypes
import gc
import os
import platform
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from jaxlib.version import __version__ as JAXLIB

_SCHEDULER = "xla_cpu_enable_concurrency_optimized_scheduler"


def avoid_known_hang(jaxlib_version: str, environment: MutableMapping[str, str]) -> None:
    """Turn off, in XLA_FLAGS, the CPU scheduler with which jaxlib 0.10.1 now and then never finishes.

    That version (all that Python 3.11 is offered) orders the operations of a program to run as many as
    possible at once, and loops then wait for ever on threads that are all asleep: a fit with a delay stops
    within ten calls, and goes through with the other scheduler at the same speed. A setting that the user
    has made stays; it has no effect where JAX has compiled something before this package is imported.
    """
    flags = environment.get("XLA_FLAGS", "")
    if jaxlib_version == "0.10.1" and _SCHEDULER not in flags:
        environment["XLA_FLAGS"] = f"{flags} --{_SCHEDULER}=false".strip()


_LEVEL = "xla_backend_optimization_level"

ON_ONE_THREAD: dict[str, bool | int | float | str] = {
    "xla_cpu_multi_thread_eigen": False,
    **({_LEVEL: 1} if JAXLIB == "0.10.1" else {}),
}
"""Compiler's options of a program that is to run on one thread, beside others of its kind (`programs_at_once`).

Small operations, as a fit of 512 voxels at a time has them, gain nothing from several threads each. And with jaxlib
0.10.1 programs that share threads stop for ever where two run side by side (a fit with a delay of 295,000 voxels,
about once in ten calls); those that need none cannot wait for any.

That version's usual level of optimisation makes these programs slower than level 1 does (a fit of 151 frames by a
sixth, one of 29 by a quarter); with 0.12 both run alike.
"""

_MOST = 16
"""Programs at a time: each holds a block's memory."""


def programs_at_once() -> int:
    """How many programs on one thread each (`ON_ONE_THREAD`) fill this machine: one for each of its processors, as far
    as this process may use them; elsewhere than on a CPU the next one waits while one is worked on."""
    import jax

    if jax.default_backend() != "cpu":
        return 2
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, _MOST)


def compute_with_all_digits() -> None:
    """Let JAX compute in the precision that arrays have and that code asks for; a user's own choice stays.

    Products of float32 matrices keep float32's digits. A graphics processor would round their factors to TF32 (11
    bits): of fits on an H200 one in a hundred did then not converge, standard errors were off by .5 % and one in a
    hundred by half and more, at no gain of speed.

    A float64 that is asked for by name is one, also where 32 bits are the default (they stay so). This has to hold
    for derivatives too, which JAX builds after a function of ours has returned: no context manager can do it.
    """
    import jax

    if jax.config.jax_default_matmul_precision is None:  # pyright: ignore[reportAttributeAccessIssue]
        jax.config.update("jax_default_matmul_precision", "highest")
    jax.config.update("jax_explicit_x64_dtypes", "allow")


def is_traced(tree: Any) -> bool:
    """Whether JAX differentiates or compiles through some of these arrays: then nothing can be looked at."""
    import jax
    from jax.core import Tracer

    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(tree))


def prepare() -> None:
    """What every floor needs done first; `simulate.base` calls it at its import."""
    avoid_known_hang(JAXLIB, os.environ)
    compute_with_all_digits()


def platform_problem(environment: Mapping[str, str] = os.environ) -> str | None:
    """Why JAX has nothing of what the user asked for to compute on, in a line with the cure; None where it has."""
    if not (named := environment.get("JAX_PLATFORMS")):
        return None  # JAX takes what there is
    import jax

    try:
        jax.devices()
    except (RuntimeError, AssertionError):  # jaxlib 0.10.1 says it with an assertion without words
        return f"JAX_PLATFORMS: {named}: is no platform that JAX finds here; unset it, or set it to cpu"
    return None


MAPPINGS = 35_000
"""Memory mappings of a process beyond which compiled programs are dropped: each program holds several, and Linux gives
a process 65,530 (vm.max_map_count); the next program after them ends it with a segmentation fault."""


def drop_programs_if_many(mappings: int = MAPPINGS) -> bool:
    """Let go of JAX's compiled programs where they fill this process's table of memory mappings; whether that was so.

    What is needed again is compiled again. For work that goes on for hours over inputs of many shapes, between its
    pieces.
    """
    maps = Path("/proc/self/maps")
    if not maps.exists() or maps.read_bytes().count(b"\n") <= mappings:
        return False
    import jax

    jax.clear_caches()
    gc.collect()
    return True


_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8
"""Parameters of glibc's mallopt(3)."""

_NEVER = -1
"""The threshold that no free memory reaches."""


def keep_freed_memory(environment: Mapping[str, str] = os.environ) -> bool:
    """Let this process keep the memory that it has freed; whether that could be asked for.

    XLA takes the scratch memory of a program anew at every call. glibc gives such large pieces back to the system
    each time, which then has to fill every page with zeros again: a gradient step of QTMnet with 400 MB spends
    almost half of its time on that. For programs of our own, as the command line; a library leaves its host's
    memory alone. Without glibc, or where the user has set MALLOC_ variables, nothing is changed.
    """
    if platform.libc_ver()[0] != "glibc" or any(name.startswith("MALLOC_") for name in environment):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    asked = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: _NEVER, _M_TOP_PAD: 2**28, _M_ARENA_MAX: 1}
    done = [mallopt(name, value) == 1 for name, value in asked.items()]  # all of them, whether one fails or not
    return all(done)
