"""Which of two answers a person found better: kept, counted, and made into preference data.

Imports ``schemas``, ``files`` and what is below.
"""
