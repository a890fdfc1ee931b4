"""The `resnas` command with short deadlines, so that a test need not wait until long ones end."""

from __future__ import annotations

import importlib

from service import runs
from service.store import requests

LEASE = 4.0

if __name__ == "__main__":
    runs.LEASE = LEASE  # before the worker's module takes it from there
    requests.IN_FLIGHT = LEASE
    importlib.import_module("service.cli").main()
