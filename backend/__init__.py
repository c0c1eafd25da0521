"""The Trainboard server: REST, SQLite, supervisor and server-sent events. Never imports torch."""
