"""News of runs on their way out: to open pages, and to webhooks.

Imports runs, db, schemas, settings, errors, version and the worker's contract.
"""
