"""One small router for each resource.

Imports everything below it; nothing but the application imports it.
"""
