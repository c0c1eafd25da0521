"""How well models foretell datasets, measured in a process of its own (`python -m worker.evaluations`).

Imports models, data, devices, protocol, the contract and errors.
"""
