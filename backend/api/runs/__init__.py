"""Runs: their life, what they have told, their curves and files, and several side by side."""
