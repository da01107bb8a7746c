"""The panel as a program: python -m ui."""

from __future__ import annotations

import sys

from engine.errors import error_line
from ui.libraries import missing_libraries

if __name__ == "__main__":
    lacking = missing_libraries()
    if lacking is not None:
        sys.exit(error_line(lacking))
    # Only now: without them Qt ends the process, or cannot be imported.
    from ui.app import main

    sys.exit(main(sys.argv[1:]))
