"""Conversations: their messages, how a template writes them and what of it is learned, special tokens, where texts end."""
