"""Several processes that train one model: starting them, adding up among them, sharding over them.

Imports process, the contract and errors.
"""
