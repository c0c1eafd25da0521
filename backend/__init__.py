"""The server: it keeps runs, starts their workers, reads their events, and answers the page. Never imports torch.

Rooms, from the top floor down: api; services; metrics, events; runs; datasets, models, series; processes, system, db; then
schemas, settings, security, errors, files and version. Each imports from floors below its own only.
"""
