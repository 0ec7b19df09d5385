"""`python -m services.registry.checks`: the process that runs checks.

A file of its own, because processes that are spawned import that of their parent again, and those that check need
neither web pages nor workbooks: without it their start takes twice as long.
"""

import sys

from services.registry.checks.runner import main

if __name__ == "__main__":
    sys.exit(main())
