"""Checkpoint folders that are whole or absent: written, verified, pruned.

Imports the contract and errors.
"""
