"""The training process of one run, and the processes that prepare one or prompt its model: `python -m worker RUN_DIR`.

Never imports the server. Rooms, from the top floor down: preflight; training; datasets, generation; models, distributed;
data, process; checkpoints, devices; then protocol, errors and contract. Each imports from floors below its own only.
"""
