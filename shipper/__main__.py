"""`python -m shipper` is the command `shipper`."""

import sys

from shipper.cli import main

sys.exit(main())
