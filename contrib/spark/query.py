#!/usr/bin/env python3
"""Runs a query over the Parquet files of a folder, as the view `events`, and prints each row as a line of JSON.

query.py FOLDER ['SELECT ...']
"""

import json
import os
import sys

from pyspark.sql import SparkSession

COUNT = "SELECT action, count(*) AS events, count(DISTINCT id) AS ids FROM events GROUP BY action ORDER BY action"

# Spark on this machine alone; on a cluster leave these out.
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
LOCAL = {
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "4",
}

spark = SparkSession.builder.master("local[2]").config(map=LOCAL).getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
spark.conf.set("spark.sql.session.timeZone", "UTC")
# Lines that wait lie in a folder whose name begins with `_`; with the pattern Spark does not see alerts.
events = spark.read.option("pathGlobFilter", "*.parquet").parquet(sys.argv[1])
events.createOrReplaceTempView("events")
for row in spark.sql(sys.argv[2] if len(sys.argv) > 2 else COUNT).collect():
    print(json.dumps(list(row), ensure_ascii=False, default=str))
