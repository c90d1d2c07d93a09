"""Perfusion maps to grade, survival and response, with attributions down to the measured frames.

The names are listed in `__init__.pyi`; each is imported when it is first used, so that nothing waits for what it
does not need.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
