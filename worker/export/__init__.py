"""A finished model or a checkpoint as files for other programs, and the proof that these answer as what was trained.

``python -m worker.export`` makes one export and ends. What others open it with runs in fresh processes that share no code
with us: ``llama_cpp.py`` for .gguf files, ``plain_transformers.py`` for folders.
"""
