"""What a run's numbers say of its health: rules, each a pure function of what the run has told, with its evidence.

Imports schemas and the contract only, so that a log of any trainer can be judged without a server.
"""
