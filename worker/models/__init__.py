"""Language models: loading, LoRA, packing and attention, forward pass and loss, saving, the model card.

Imports data, checkpoints, devices, the contract and errors.
"""
