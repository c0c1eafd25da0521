"""What a run will take, told before it starts: time, memory, and a trial of its first updates.

Imports every room below.
"""
