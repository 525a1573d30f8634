#!/usr/bin/env python3
"""Runs a query over the objects below a prefix, as the view `events`, and prints each row as a line of JSON. Parquet has its
own columns, lines have those of events.sql. Which store, and who asks, say AWS_REGION, AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_ENDPOINT_URL, as for atlaudit.

objects.py s3://BUCKET/PREFIX ['SELECT ...']
"""

import importlib.util
import json
import os
import pathlib
import sys
import urllib.parse

import duckdb

COUNT = "SELECT action, count(*) AS events, count(DISTINCT id) AS ids FROM events GROUP BY action ORDER BY action"


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


database = duckdb.connect()
# The package duckdb-extension-httpfs brings the extension along; otherwise DuckDB downloads it.
package = importlib.util.find_spec("duckdb_extension_httpfs")
if package:
    folder = f"{package.submodule_search_locations[0]}/extensions/v{duckdb.__version__}"
    database.execute(f"LOAD {quoted(folder + '/httpfs.duckdb_extension')}")
else:
    database.execute("INSTALL httpfs; LOAD httpfs")

secret = {"TYPE": "s3", "REGION": os.environ.get("AWS_REGION", "us-east-1")}
for option, name in ("KEY_ID", "ACCESS_KEY_ID"), ("SECRET", "SECRET_ACCESS_KEY"), ("SESSION_TOKEN", "SESSION_TOKEN"):
    if value := os.environ.get(f"AWS_{name}"):
        secret[option] = value
if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
    url = urllib.parse.urlsplit(endpoint)
    secret |= {"ENDPOINT": url.netloc, "USE_SSL": str(url.scheme == "https"), "URL_STYLE": "path"}
database.execute(f"CREATE SECRET ({', '.join(f'{option} {quoted(value)}' for option, value in secret.items())})")

database.execute("SET TimeZone = 'UTC'")
objects = sys.argv[1].rstrip("/") + "/**/*"
parquet = quoted(objects + ".parquet")
if database.execute(f"FROM glob({parquet}) LIMIT 1").fetchall():
    database.execute(f"CREATE VIEW events AS FROM read_parquet({parquet}, hive_partitioning = true)")
else:
    database.execute("SET VARIABLE files = $1", [objects + ".jsonl*"])
    database.execute((pathlib.Path(__file__).parent / "events.sql").read_text())
for row in database.execute(sys.argv[2] if len(sys.argv) > 2 else COUNT).fetchall():
    print(json.dumps(row, ensure_ascii=False, default=str))
