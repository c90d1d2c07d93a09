"""How many programs JAX compiles, or takes from its cache, while something is done."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax

_EVENT = "/jax/core/compile/backend_compile_duration"


@contextmanager
def compilations() -> Iterator[list[str]]:
    """A list that grows by one for each."""
    found: list[str] = []

    def listen(event: str, _: float, **more: str | int) -> None:
        if event == _EVENT:
            found.append(str(more.get("fun_name", "")))

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield found
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
