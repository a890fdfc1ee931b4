"""What holds for all tests: one thread each, so that tests and trials share a machine fairly."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported, and for all processes
