-- Not run in Trino. The columns are those of `atlaudit schema --parquet normalized`; .ci/parquet compares them.
-- To change: the catalog and schema (twice), the bucket.
CREATE TABLE hive.default.atlassian_events (
  "schema" varchar,
  "id" varchar,
  "source" row("name" varchar, "type" varchar, "org_id" varchar, "site" varchar, "workspace" varchar),
  "time" timestamp(3),
  "processed_time" timestamp(3),
  "observed_time" timestamp(3),
  "action" varchar,
  "category" varchar,
  "outcome" varchar,
  "message" varchar,
  "product" varchar,
  "actor" row("type" varchar, "id" varchar, "name" varchar, "email" varchar, "auth" row("type" varchar, "token_id" varchar, "token_label" varchar), "on_behalf_of" row("id" varchar, "name" varchar, "email" varchar)),
  "targets" array(row("type" varchar, "id" varchar, "name" varchar, "email" varchar, "url" varchar, "parent" row("id" varchar, "name" varchar))),
  "changes" array(row("field" varchar, "from" varchar, "to" varchar)),
  "client" row("ip" varchar, "forwarded" array(varchar), "country" varchar, "country_code" varchar, "region" varchar, "city" varchar, "geo" varchar),
  "labels" varchar,
  "raw" varchar,
  "feed" varchar,
  "day" date
)
WITH (
  format = 'PARQUET',
  external_location = 's3://YOUR-BUCKET/lake/',
  partitioned_by = ARRAY['feed', 'day']
);

-- Finds the folders: again for each new day.
CALL hive.system.sync_partition_metadata('default', 'atlassian_events', 'ADD');
