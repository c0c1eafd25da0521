"""Trained models for every client of language models: one file for each door, as OpenAI's and Anthropic's clients know them.

``jobs`` has what they share: a door reads a request, asks there for its texts, and puts them into its own shape.
"""
