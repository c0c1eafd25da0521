"""The machine that the server runs on: its devices and what they are doing.

Imports schemas.
"""
