"""Other processes, started and kept in hand: a run's worker, and helpers that answer requests.

Imports settings, errors and the worker's contract.
"""
