"""Settings of the numerical runtime that must stand before JAX compiles anything."""

import os
from collections.abc import MutableMapping

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


def prepare() -> None:
    """What every floor needs done first; `simulate.base` calls it at its import."""
    from jaxlib.version import __version__

    avoid_known_hang(__version__, os.environ)
