"""Uploads: text is kept once, anything else is refused with where and why, and leaves nothing behind."""

from __future__ import annotations

import codecs
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest


def upload(server, content: bytes, name: str = "my.txt"):
    return server.client.post("/api/datasets", files={"file": (name, content)})


REFUSED = [
    (b"", "my.txt", "The file is empty."),
    (b"\n \n\t\n", "my.txt", "The file is empty: it holds only blanks."),
    (b"only one\n\n", "my.txt", "The file holds only one example. A model needs at least two."),
    (b"a\nb\0c\n", "my.txt", "Line 2, column 2 holds a NUL character, so this is not text."),
    (b"PK\x03\x04\0\0\nx\ny", "my.txt", "This is a zip archive, as .xlsx and .docx are too, not text."),
    (b"fine\nna\xefve\n", "my.txt", "Line 2, column 3 is not UTF-8 text."),
    (b"a\nb\n", "my.jsonl", "Line 1 is not valid JSON: Expecting value at column 1."),
    (b"a,b\n1,2\n3\n", "my.csv", "Line 3 has 1 cell, and the header has 2."),
    (b"a\nb\n", "my.doc", "'my.doc' is no kind of file that can be read."),
    (b"a\nb\n", "my", "'my' is no kind of file that can be read."),
]


@pytest.mark.parametrize(("content", "name", "sentence"), REFUSED, ids=lambda value: repr(value)[:24])
def test_unusable_file_is_refused_and_not_kept(shared_server, content: bytes, name: str, sentence: str) -> None:
    before = sorted(os.listdir(shared_server.data_dir / "datasets"))
    response = upload(shared_server, content, name)
    assert (response.status_code, response.json()["error"]["field"]) == (422, "file")
    assert response.json()["error"]["message"] == sentence
    assert sorted(os.listdir(shared_server.data_dir / "datasets")) == before


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"json": {}},
        {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
        {"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=b"}},
        {"files": {"other": ("my.txt", b"a\nb\n")}},
        {"data": {"file": "a"}, "files": {"x": ("x", b"")}},
    ],
)
def test_request_without_a_file_is_refused(shared_server, request_: dict) -> None:
    response = shared_server.client.post("/api/datasets", **request_)
    assert (response.status_code, response.json()["error"]["field"]) == (422, "file"), response.text


def test_upload_list_preview_delete(shared_server) -> None:
    content = codecs.BOM_UTF8 + "first\r\n\r\n  second é  \r\nthird".encode()
    created = upload(shared_server, content, "../../Töne & more.TXT")
    assert created.status_code == 201
    dataset = created.json()
    assert (dataset["name"], dataset["rows"], dataset["bytes"]) == ("Töne & more.TXT", 3, len(content))
    again = upload(shared_server, content, "other.txt")
    assert (again.status_code, again.json()) == (200, dataset)

    items = shared_server.client.get("/api/datasets").json()["items"]
    assert [item["id"] for item in items] == ["sample", dataset["id"]]
    preview = shared_server.client.get(f"/api/datasets/{dataset['id']}/preview?limit=2").json()
    assert preview == {
        "columns": [],
        "numbers": [1, 3],
        "records": [],
        "examples": [[{"role": "text", "text": text, "learned": True}] for text in ("first", "  second é  ")],
        "total": 3,
    }
    assert shared_server.client.delete(f"/api/datasets/{dataset['id']}").status_code == 204
    assert shared_server.client.get(f"/api/datasets/{dataset['id']}/preview").status_code == 404


def test_the_sample_stays(shared_server) -> None:
    sample = shared_server.client.get("/api/datasets").json()["items"][0]
    assert (sample["id"], sample["rows"], sample["built_in"]) == ("sample", 3000, True)
    assert shared_server.client.delete("/api/datasets/sample").status_code == 409


def test_the_same_file_at_once_is_one_dataset(shared_server) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: upload(shared_server, b"x\ny\nz\n", f"{n}.txt"), range(16)))
    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
    (dataset_id,) = {answer.json()["id"] for answer in answers}
    assert shared_server.client.delete(f"/api/datasets/{dataset_id}").status_code == 204


def test_too_large_is_refused_while_it_streams(start_server) -> None:
    """With no length announced, the server must stop reading by itself, and stay responsive meanwhile."""
    server = start_server({"TRAINBOARD_MAX_UPLOAD_BYTES": "100000"})
    assert upload(server, b"fine\n" * 20_000).status_code == 201
    refused = upload(server, b"fine\n" * 20_001)
    assert (refused.status_code, refused.json()["error"]["field"]) == (413, "file")

    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    head = b"POST /api/datasets HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    connection.sendall(head + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n")
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
    answer: list[bytes] = []
    reader = threading.Thread(target=lambda: answer.append(connection.recv(4096)))
    reader.start()
    block, sent = b"word\n" * 2000, 0
    try:
        while not answer and sent < 50_000_000:
            connection.sendall(b"%x\r\n%s\r\n" % (len(block), block))
            sent += len(block)
    except OSError:
        pass  # the server closed the connection, as it should
    reader.join(30)
    assert answer
    assert answer[0].startswith(b"HTTP/1.1 413")
    assert len(os.listdir(server.data_dir / "datasets")) == 2, "the sample and the one that fitted"


def test_the_newest_upload_comes_first_after_the_sample(shared_server) -> None:
    before = [item["id"] for item in shared_server.client.get("/api/datasets").json()["items"]]
    names = [f"{word}-in-order.txt" for word in ("middle", "zebra", "alpha")]
    ids = [upload(shared_server, f"only in {name}\nand more".encode(), name).json()["id"] for name in names]
    found = [item["id"] for item in shared_server.client.get("/api/datasets").json()["items"]]
    assert found == ["sample", *reversed(ids), *before[1:]]
    for dataset_id in ids:
        shared_server.client.delete(f"/api/datasets/{dataset_id}")
