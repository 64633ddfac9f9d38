"""``python -m akg``."""

import sys

from akg.cli import main

if __name__ == "__main__":
    sys.exit(main())
