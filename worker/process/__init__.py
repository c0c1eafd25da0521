"""What makes a program a run's worker: its lock, its log of events, its console, its telemetry, and what it is asked to do.

Imports devices, the contract and errors.
"""
