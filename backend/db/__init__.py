"""SQLite: the tables, the connections to it, the migrations, and times as it stores them.

Imports settings.
"""
