"""From a file of any format to rows, as a stream: no file is ever held.

text.py     bytes → text, checked; lines; a document's sections
json_records.py  text of a .jsonl or .json → records: column → value
tables.py   rows of a .csv, .tsv or Parquet file → records
reading.py  a file → chunks of rows
guess.py    what kind of file this is, and how it is best read
shards.py   several files of a repository → one
"""

from worker.data.formats.reading import Chunk, read_records, read_rows, rows_of
from worker.data.formats.rows import Chat, Completion, Message, Record, Row, Section, joined, key, plain_text, spoken
from worker.data.formats.text import silent

__all__ = [
    "Chat",
    "Chunk",
    "Completion",
    "Message",
    "Record",
    "Row",
    "Section",
    "joined",
    "key",
    "plain_text",
    "read_records",
    "read_rows",
    "rows_of",
    "silent",
    "spoken",
]
