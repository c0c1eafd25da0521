"""A run from its creation to its deletion: what it may do next, its worker's supervision, what its events come to.

Imports datasets, models, series, processes, system, db, schemas, errors, files and the worker's contract.
"""
