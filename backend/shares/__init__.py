"""Links that show one run, or let one model be tried, without the server's token.

Imports schemas, errors, files and the worker's contract.
"""
