"""`python -m vdm_jax` is `vdm-jax`."""

import sys

from vdm_jax.commands import main

sys.exit(main())
