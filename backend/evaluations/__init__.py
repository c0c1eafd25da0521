"""Evaluations of models on datasets: what was asked for, one after the other, and the results as files.

Imports runs, datasets, models, processes, db, schemas, files, errors and the worker's contract.
"""
