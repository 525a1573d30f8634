"""Serves the pages of a sandbox's events-stream from memory, as a plain HTTP server does.

usage: plain_server.py URL   (of the first page, which names an end; the key is in ORG_KEY)
Prints its port when it has all pages.
"""

import http.server
import os
import sys
import urllib.request
from urllib.parse import parse_qs, urlparse

# The link names no limit.
LINK = b'"links":{"next":"'
EMPTY = b'{"data":[],"meta":{"next":null,"page_size":500},"links":{}}'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    pages = {}

    def do_GET(self):
        body = self.pages.get(cursor_of(self.path), EMPTY)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def cursor_of(url):
    return parse_qs(urlparse(url).query).get("cursor", [""])[0]


def read_pages(url, here):
    sandbox = url.partition("/admin/")[0]
    while url:
        asked = urllib.request.Request(url, headers={"Authorization": "Bearer " + os.environ["ORG_KEY"]})
        with urllib.request.urlopen(asked) as answer:
            body = answer.read()
        Handler.pages[cursor_of(url)] = body.replace(sandbox.encode(), here.encode())
        _, found, link = body[-2048:].rpartition(LINK)
        url = found and link.partition(b'"')[0].decode() + "&limit=500"


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
read_pages(sys.argv[1], f"http://127.0.0.1:{server.server_port}")
print(server.server_port, flush=True)
server.serve_forever()
