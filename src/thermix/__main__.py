"""`python -m thermix`: the command line."""

import sys

from thermix.cli import main

sys.exit(main())
