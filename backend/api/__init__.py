"""One small router for each resource, and a room for all that concerns runs, models, and other programs' doors (``v1``).

Imports everything below it; nothing but the application imports it.
"""
