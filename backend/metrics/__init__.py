"""Numbers of runs made into answers: comparisons, exports, reports.

Imports runs, series, datasets, db, schemas, errors and the worker's contract.
"""
