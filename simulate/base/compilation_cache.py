"""Programs that JAX has compiled, kept in the user's cache folder: a command need not compile what it did before."""

import hashlib
import os
import platform
from collections.abc import Mapping
from pathlib import Path

import platformdirs


def keep_programs(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Let this process take compiled programs from a folder and leave its own there; the folder, or None without one.

    For programs of our own, as the command line; a library leaves its host's settings alone. A folder that the user
    has given to JAX (JAX_COMPILATION_CACHE_DIR) stays. One that cannot be written is done without: nothing but time
    depends on it, and it can be deleted at any time.
    """
    import jax

    if environment.get("JAX_COMPILATION_CACHE_DIR"):
        return Path(environment["JAX_COMPILATION_CACHE_DIR"])
    folder = platformdirs.user_cache_path("tracerflow", appauthor=False) / _machine()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
    except OSError:
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder


def _machine() -> str:
    """One folder for each version of the compiler and kind of processor: a home may be shared by many machines, and
    what is compiled for one may hold instructions that another lacks."""
    from jaxlib.version import __version__

    processor = platform.machine() + platform.processor()
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        lines = listed.read_text(errors="replace").splitlines()
        processor += "".join(sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))}))
    return f"jaxlib-{__version__}-{hashlib.sha256(processor.encode()).hexdigest()[:12]}"
