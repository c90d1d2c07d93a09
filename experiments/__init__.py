"""Questions asked with the floors below: files to maps and a report, figures, the demonstration, the studies.

The names are listed in `__init__.pyi`; each is imported when it is first used, so that nothing waits for what it
does not need.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
