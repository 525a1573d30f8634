#!/usr/bin/env python3
"""Runs a query over the Parquet files of a folder, as the view `events`, and prints each row as a line of JSON.

query.py FOLDER ['SELECT ...']
"""

import os
import sys

from chdb.session import Session

COUNT = "SELECT action, count(*) AS events, count(DISTINCT id) AS ids FROM events GROUP BY action ORDER BY action"

session = Session()
session.query("CREATE DATABASE lake")
session.query("USE lake")
files = f"{os.path.abspath(sys.argv[1])}/**/*.parquet".replace("'", "''")
session.query(f"CREATE VIEW events AS SELECT * FROM file('{files}', Parquet) SETTINGS use_hive_partitioning = 1")
print(session.query(sys.argv[2] if len(sys.argv) > 2 else COUNT, "JSONCompactEachRow"), end="")
