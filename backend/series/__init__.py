"""Curves of any length: roll-ups that are kept while events are read.

Imports db.
"""
