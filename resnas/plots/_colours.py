"""Colours of Okabe & Ito, which colour-blind readers can tell apart."""

from __future__ import annotations

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#9A9A9A"
