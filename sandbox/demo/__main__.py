"""`python -m sandbox.demo`."""

import sys

from sandbox.demo.cards import main

if __name__ == "__main__":
    sys.exit(main())
