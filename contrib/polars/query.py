#!/usr/bin/env python3
"""Runs a query over the Parquet files of a folder, as the table `events`, and prints each row as a line of JSON.

query.py FOLDER ['SELECT ...']
"""

import json
import sys

import polars

COUNT = "SELECT action, count(*) AS events, count(DISTINCT id) AS ids FROM events GROUP BY action ORDER BY action"

# A pattern, because Polars refuses a folder that holds other files too: lines that wait, or alerts.
events = polars.scan_parquet(f"{sys.argv[1]}/**/*.parquet", hive_partitioning=True)
rows = polars.SQLContext(events=events).execute(sys.argv[2] if len(sys.argv) > 2 else COUNT)
for row in rows.collect().iter_rows():
    print(json.dumps(row, ensure_ascii=False, default=str))
