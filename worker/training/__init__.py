"""The training loop and all that a run of it needs: setup, optimizer, evaluation, resuming from a checkpoint.

Imports every room below: generation, models, distributed, data, process, checkpoints, devices, the contract and errors.
"""
