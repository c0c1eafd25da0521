"""Uploaded and fetched data: receiving it, having it checked, keeping it.

Imports processes, schemas, settings, errors, files and the worker's contract.
"""
