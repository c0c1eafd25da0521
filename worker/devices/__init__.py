"""The machine below torch: which device and precision, how much memory is in use, what its end looks like, how fast it is.

Imports the contract and errors.
"""
