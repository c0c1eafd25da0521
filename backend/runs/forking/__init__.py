"""Runs that begin where another one stands, and which came from which."""
