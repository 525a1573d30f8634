#!/usr/bin/env python3
"""Runs a query over the view of events.sql, and prints each row as a line of JSON: FILES=... query.py QUERY.sql"""

import json
import os
import pathlib
import sys

import duckdb

database = duckdb.connect()
database.execute("SET VARIABLE files = $1", [os.environ["FILES"]])
database.execute((pathlib.Path(__file__).parent / "events.sql").read_text())
result = database.execute(pathlib.Path(sys.argv[1]).read_text())
for row in result.fetchall():
    print(json.dumps(row, ensure_ascii=False, default=str))
