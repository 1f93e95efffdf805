"""`python -m jaxlic` is the command line."""

import sys

from jaxlic.cli import main

sys.exit(main())
