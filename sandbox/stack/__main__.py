"""`python -m sandbox.stack`."""

import sys

from sandbox.stack.running import main

if __name__ == "__main__":
    sys.exit(main())
