"""One training step under the microscope: what the model foresees, how wrong it is, what flows back, what it changes.

Made in memory on one row, in fp32 on the CPU. Nothing is written.
"""
