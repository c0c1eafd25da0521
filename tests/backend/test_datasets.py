"""Uploads: text is kept once, anything else is refused with where and why, and leaves nothing behind."""

from __future__ import annotations

import codecs
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.errors import InvalidFieldError
from backend.textfile import LineCounter


def upload(server, content: bytes, name: str = "my.txt"):
    return server.client.post("/api/datasets", files={"file": (name, content)})


REFUSED = [
    (b"", "my.txt", "The file needs at least 2 lines with text. It is empty."),
    (b"\n \n\t\n", "my.txt", "The file needs at least 2 lines with text. It is empty."),
    (b"only one\n\n", "my.txt", "The file needs at least 2 lines with text. It has only one."),
    (b"a\nb\0c\n", "my.txt", "The file is binary, not text."),
    (b"PK\x03\x04\0\0\nx\ny", "my.txt", "The file is binary, not text."),
    (codecs.BOM_UTF16_LE + "a\nb\n".encode("utf-16-le"), "my.txt", "The file is UTF-16 text."),
    (b"fine\nna\xefve\n", "my.txt", "The file is not UTF-8 text: line 2, column 3 cannot be read."),
    ("é\néé".encode() + b"\xc3", "my.txt", "The file is not UTF-8 text: line 2, column 3 cannot be read."),
    (b"a\nb\n", "my.jsonl", "'my.jsonl' is not a .txt file."),
    (b"a\nb\n", "my", "'my' is not a .txt file."),
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
    assert preview == {"rows": ["first", "second é"], "total": 3}
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


def count(data: bytes, size: int) -> int:
    """The usable lines of a file that comes in chunks of this size."""
    lines = LineCounter()
    for start in range(0, len(data), size):
        lines.feed(data[start : start + size])
    return lines.finish()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_lines_are_counted_alike_however_the_file_is_cut(size: int) -> None:
    data = codecs.BOM_UTF8 + "eins\r\n\r\nzw\u00f6lf\rdrei \u2028 vier\n  \n\U0001f600".encode()
    assert count(data, size) == 4


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_the_place_of_an_error_is_exact_however_the_file_is_cut(size: int) -> None:
    data = "é\r\n".encode() * 3 + "éé".encode() + b"\xff" + b"\nrest\n"
    with pytest.raises(InvalidFieldError, match="line 4, column 3"):
        count(data, size)
