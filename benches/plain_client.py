"""Reads all pages of events-stream and throws them away: follows the cursors, looks at nothing else.

usage: plain_client.py URL   (the key is in ORG_KEY); prints the number of pages
"""

import http.client
import os
import sys
from urllib.parse import urlsplit

# The link names no limit.
LINK = b'"links":{"next":"'
url = sys.argv[1]
host = urlsplit(url).netloc
connection = http.client.HTTPConnection(host)
pages = 0
while url:
    connection.request("GET", url.partition(host)[2], headers={"Authorization": "Bearer " + os.environ["ORG_KEY"]})
    body = connection.getresponse().read()
    pages += 1
    _, found, link = body[-2048:].rpartition(LINK)
    url = found and link.partition(b'"')[0].decode() + "&limit=500"
print(pages)
