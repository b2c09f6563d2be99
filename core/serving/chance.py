"""Chance that no model can touch.

Models run in the same process, and some seed `random` themselves with each prediction: drawn
from there, the split of the traffic would follow their seed.
"""

from __future__ import annotations

import os
import random

_own = random.Random()
os.register_at_fork(after_in_child=_own.seed)  # servers are forked from one process

draw = _own.random
"""A number in [0, 1)."""
