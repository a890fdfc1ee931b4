"""The dashboard as a reader has it: a real server, and a real Chromium that looks at it."""
