"""Text from a model: how tokens are chosen, and the process that answers prompts (`python -m worker.generation`).

Imports models, devices, protocol, the contract and errors.
"""
