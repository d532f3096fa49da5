"""Servers on loopback that answer as the real ones are documented to, and fail where a test wants them to."""

import hashlib
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape


class Answer(NamedTuple):
    body: bytes
    status: int = 200
    headers: dict[str, str] = {}  # noqa: RUF012 (a NamedTuple's defaults are not shared state)


Question = dict[str, str]
Service = Callable[[str, Question], Answer | None]  # path and query -> an answer, None if it is not the service's

PAGE = b"<html><head><title>Access denied</title></head><body>Please log in.</body></html>"
NOT_THERE = Answer(b"<html>no such file</html>", 404, {"Content-Type": "text/html"})


class Loopback:
    """A server of files and services.

    `files` are by path; `faults` are what the next answers about a path are instead: a status, `cut` (the connection
    ends in the middle), `page` (a web page with status 200), `short` (a truncated file, with its own length).
    """

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.services: list[Service] = []
        self.faults: dict[str, list[int | str]] = defaultdict(list)
        self.headers: dict[str, str] = {}  # of a fault
        self.sent: Counter[str] = Counter()  # bytes of files, by path
        self.asked: Counter[str] = Counter()  # GET requests, by path
        self.pause = 0.0  # seconds before a file is sent
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                loopback.answer(self)

            do_HEAD = do_GET  # noqa: N815 (http.server's names)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def find(self, path: str, question: Question) -> Answer:
        for service in self.services:
            if (answer := service(path, question)) is not None:
                return answer
        if path in self.files:
            content = self.files[path]
            return Answer(content, 200, {"ETag": etag(content), "Last-Modified": formatdate(0, usegmt=True)})
        return NOT_THERE

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        path = unquote(parts.path)
        answer = self.find(path, {name: values[0] for name, values in parse_qs(parts.query).items()})
        body, cut = answer.body, False
        if handler.command == "GET":
            self.asked[path] += 1
            if self.faults[path]:
                fault = self.faults[path].pop(0)
                if fault == "page":
                    answer = Answer(PAGE, 200, {"Content-Type": "text/html"})
                elif fault == "short":
                    answer = answer._replace(body=body[: len(body) // 2])
                elif isinstance(fault, int):
                    answer = Answer(PAGE, fault, {"Content-Type": "text/html"} | self.headers)
                cut, body = fault == "cut", answer.body
            if path in self.files:
                time.sleep(self.pause)
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        if cut:
            handler.send_header("Connection", "close")
            handler.close_connection = True
        handler.end_headers()
        if handler.command == "GET":
            part = body[: len(body) // 2] if cut else body
            with suppress(ConnectionError):  # a client that was killed
                handler.wfile.write(part)
            if path in self.files:
                self.sent[path] += len(part)


def etag(content: bytes) -> str:
    return f'"{hashlib.md5(content).hexdigest()}"'


@contextmanager
def loopback() -> Iterator[Loopback]:
    server = Loopback()
    thread = threading.Thread(target=server.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.server.shutdown()
        server.server.server_close()
        thread.join()


def bucket(server: Loopback, name: str) -> Service:
    """S3's ListObjectsV2 of the files below /NAME, a thousand an answer; objects are files of the server."""

    def answer(path: str, question: Question) -> Answer | None:
        if path.strip("/") != name or "list-type" not in question:
            return None
        prefix, delimiter = question.get("prefix", ""), question.get("delimiter", "")
        keys, folders = [], set()
        for file in sorted(server.files):
            key = file.removeprefix(f"/{name}/")
            if not file.startswith(f"/{name}/") or not key.startswith(prefix):
                continue
            inside, slash, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            if slash:
                folders.add(prefix + inside + slash)
            else:
                keys.append(key)
        begin = int(question.get("continuation-token", 0))
        most = min(1000, int(question.get("max-keys", 1000)))
        shown = keys[begin : begin + most]
        more = begin + most < len(keys)
        contents = "".join(
            f"<Contents><Key>{escape(quote(key))}</Key><LastModified>2023-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>{escape(etag(server.files[f'/{name}/{key}']))}</ETag>"
            f"<Size>{len(server.files[f'/{name}/{key}'])}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for key in shown
        )
        prefixes = "".join(
            f"<CommonPrefixes><Prefix>{escape(quote(p))}</Prefix></CommonPrefixes>" for p in sorted(folders)
        )
        token = f"<NextContinuationToken>{begin + most}</NextContinuationToken>" if more else ""
        return Answer(
            f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{name}</Name><Prefix>{escape(quote(prefix))}</Prefix><EncodingType>url</EncodingType>"
            f"<KeyCount>{len(shown) + len(folders)}</KeyCount><MaxKeys>{most}</MaxKeys>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{contents}{prefixes}</ListBucketResult>".encode(),
            200,
            {"Content-Type": "application/xml"},
        )

    return answer


def hub(server: Loopback, repository: str, commit: str, files: dict[str, bytes], large: bool = True) -> Service:
    """The Hugging Face Hub's answers about one set: its revision, its files, and where they are.

    Files are on another path, to which the Hub redirects; `large` ones are in LFS, with a SHA-256.
    """
    for path, content in files.items():
        server.files[f"/cdn/{commit}/{path}"] = content

    def entry(path: str) -> dict:
        content = server.files[f"/cdn/{commit}/{path}"]
        sha1 = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
        one = {"type": "file", "oid": sha1, "size": len(content), "path": path}
        if large:
            one["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
        return one

    listed = [entry(path) for path in files]

    def answer(path: str, question: Question) -> Answer | None:
        api, resolve = f"/api/datasets/{repository}", f"/datasets/{repository}/resolve/{commit}/"
        if path.startswith(f"{api}/revision/"):
            revision = path.rpartition("/")[2]
            if revision not in (commit, "main"):
                return (
                    None
                    if len(revision) == 40
                    else Answer(
                        json.dumps({"error": f"Invalid rev id: {revision}"}).encode(),
                        404,
                        {"X-Error-Code": "RevisionNotFound", "Content-Type": "application/json"},
                    )
                )
            return as_json({"id": repository, "sha": commit, "private": False, "tags": [], "siblings": []})
        if path.startswith("/api/datasets/") and not path.startswith(f"{api}/"):
            return Answer(b"{}", 404, {"X-Error-Code": "RepoNotFound", "Content-Type": "application/json"})
        if path == f"{api}/tree/{commit}":
            return as_json(listed)
        if path.startswith(resolve):
            return Answer(b"", 302, {"Location": f"{server.url}/cdn/{commit}/{path.removeprefix(resolve)}"})
        return None

    return answer


def as_json(content: object) -> Answer:
    return Answer(json.dumps(content).encode(), 200, {"Content-Type": "application/json"})


class Jsoc:
    """JSOC's answers about hmi.M_720s: sizes of records, an export that is ready at the third look, its files.

    Args:
        server: that has the files.
        content: of each magnetogram, by its T_REC.
        gaps: records without a file in every export.
    """

    def __init__(self, server: Loopback, content: dict[str, bytes], gaps: int = 1):
        self.server, self.content, self.gaps = server, content, gaps
        self.exports: dict[str, tuple[str, int]] = {}  # by id: query, looks so far
        self.emails: list[str] = []

    def records(self, query: str) -> dict[str, bytes]:
        """The records of the year of a query, which is all that is understood of it."""
        return {key: one for key, one in self.content.items() if key.startswith(query.split("[")[1][:4])}

    def __call__(self, path: str, question: Question) -> Answer | None:
        if path == "/cgi-bin/ajax/jsoc_info" and question["op"] == "rs_list":
            found = self.records(question["ds"])
            values = {"T_REC": list(found), "*size*": [str(len(one)) for one in found.values()]}
            keywords = [{"name": name, "values": values[name]} for name in question["key"].split(",")]
            return as_json({"status": 0, "count": len(found), "keywords": keywords, "segments": [], "links": []})
        if path != "/cgi-bin/ajax/jsoc_fetch":
            return None
        if question["op"] == "exp_request":
            if "@" not in question["notify"]:
                return as_json({"status": 4, "error": "Email address is not registered"})
            self.emails.append(question["notify"])
            name = f"JSOC_{len(self.exports) + 1}"
            self.exports[name] = (question["ds"], 0)
            return as_json({"status": 2, "requestid": name, "method": "url", "protocol": "fits", "wait": 0})
        if question["requestid"] not in self.exports:
            return as_json({"status": 4, "error": f"Bad RequestID {question['requestid']} provided."})
        query, looks = self.exports[question["requestid"]]
        self.exports[question["requestid"]] = (query, looks + 1)
        if looks < 2:
            return as_json({"status": 1, "requestid": question["requestid"], "wait": 0})
        folder, records = f"/SUM/{question['requestid']}", self.records(query)
        names = {key: f"hmi.M_720s.{key.replace('.', '').replace(':', '')}.magnetogram.fits" for key in records}
        for key, one in records.items():
            self.server.files[f"{folder}/{names[key]}"] = one
        data = [{"record": f"hmi.M_720s[{key}]", "filename": names[key]} for key in records]
        return as_json(
            {
                "status": 0,
                "requestid": question["requestid"],
                "method": "url",
                "protocol": "fits",
                "dir": folder,
                "count": len(data),
                "size": 1,
                "data": data + [{"record": "hmi.M_720s[gap]", "filename": "NoDataFile"}] * self.gaps,
            }
        )


def archive_of_esa(files: dict[str, bytes]) -> Service:
    """SOAR's answers: a table of the files of a product and a span of time, and the files by their identifiers."""
    names = ["begin_time", "data_item_id", "filename", "filesize"]

    def answer(path: str, question: Question) -> Answer | None:
        if path == "/tap/sync":
            query = question["QUERY"]
            product, first, last = (query.split(f"{word}'")[1].split("'")[0] for word in ("=", ">=", "<"))
            rows = []
            for name, content in files.items():
                stamp = name.split("_")[3]
                begin = f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]} {stamp[9:11]}:{stamp[11:13]}:{stamp[13:15]}.0"
                if f"_{product}_" in name and first <= begin.replace(" ", "T") < last:
                    rows.append([begin, name.removesuffix(".fits"), name, len(content)])
            return as_json({"metadata": [{"name": name} for name in names], "data": rows[::-1]})
        if path == "/data":
            return Answer(files[question["data_item_id"] + ".fits"])
        return None

    return answer


def index_page(server: Loopback, folder: str) -> None:
    """Put up the page that a web server makes of a folder of files."""
    names = [path.removeprefix(folder) for path in server.files if path.startswith(folder)]
    links = "".join(f'<a href="{name}">{name}</a> 12-Jan-2025 1.2M\n' for name in names)
    page = f'<a href="?C=N;O=D">Name</a> <a href="/parent/">Parent Directory</a>\n{links}'.encode()
    server.services.append(lambda path, _: Answer(page, 200, {"Content-Type": "text/html"}) if path == folder else None)
