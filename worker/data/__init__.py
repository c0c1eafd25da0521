"""From the bytes of a file to batches of tokens: formats, rows, encoding, the store of tokens, batching.

Imports checkpoints, the contract and errors.
"""
