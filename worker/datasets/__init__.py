"""What is told of a dataset before training: whether it is valid, how it reads, its statistics, its tokens.

Imports models, data, protocol, the contract and errors.
"""
