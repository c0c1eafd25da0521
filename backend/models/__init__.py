"""The models that a run may start from, and the hub's.

Imports schemas, errors and the worker's contract.
"""
