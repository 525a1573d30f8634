#!/usr/bin/env python3
"""Runs a query over the Parquet files of a folder, as the view `events`, and prints each row as a line of JSON.

parquet.py FOLDER ['SELECT ...']
"""

import json
import sys

import duckdb

COUNT = "SELECT action, count(*) AS events, count(DISTINCT id) AS ids FROM events GROUP BY action ORDER BY action"

database = duckdb.connect()
files = f"{sys.argv[1]}/**/*.parquet".replace("'", "''")
database.execute("SET TimeZone = 'UTC'")
database.execute(f"CREATE VIEW events AS FROM read_parquet('{files}', hive_partitioning = true)")
for row in database.execute(sys.argv[2] if len(sys.argv) > 2 else COUNT).fetchall():
    print(json.dumps(row, ensure_ascii=False, default=str))
