-- Not run in Trino. The columns are those of `atlaudit schema --parquet ocsf`; .ci/parquet compares them.
-- To change: the catalog and schema (twice), the bucket.
CREATE TABLE hive.default.atlassian_ocsf (
  "class_uid" integer,
  "class_name" varchar,
  "category_uid" integer,
  "category_name" varchar,
  "activity_id" integer,
  "activity_name" varchar,
  "type_uid" bigint,
  "type_name" varchar,
  "severity_id" integer,
  "severity" varchar,
  "status_id" integer,
  "status" varchar,
  "time" timestamp(3),
  "message" varchar,
  "metadata" row("version" varchar, "uid" varchar, "original_event_uid" varchar, "event_code" varchar, "product" row("name" varchar, "vendor_name" varchar), "tenant_uid" varchar, "log_name" varchar, "source" varchar, "original_time" varchar, "logged_time" timestamp(3), "processed_time" timestamp(3)),
  "actor" row("user" row("uid" varchar, "name" varchar, "email_addr" varchar, "type_id" integer, "type" varchar, "programmatic_credentials" array(row("uid" varchar, "type" varchar))), "app_name" varchar, "app_uid" varchar),
  "src_endpoint" row("ip" varchar, "port" integer, "intermediate_ips" array(varchar), "location" row("country" varchar, "region" varchar, "city" varchar)),
  "user" row("uid" varchar, "name" varchar, "email_addr" varchar, "type_id" integer, "type" varchar, "programmatic_credentials" array(row("uid" varchar, "type" varchar))),
  "policies" array(row("uid" varchar, "name" varchar, "type" varchar)),
  "service" row("name" varchar),
  "privileges" array(varchar),
  "resources" array(row("uid" varchar, "name" varchar, "type" varchar)),
  "resource" row("uid" varchar, "name" varchar, "type" varchar),
  "group" row("uid" varchar, "name" varchar, "type" varchar),
  "subgroup" row("uid" varchar, "name" varchar, "type" varchar),
  "web_resources" array(row("uid" varchar, "name" varchar, "type" varchar, "url_string" varchar)),
  "api" row("operation" varchar, "service" row("name" varchar)),
  "app" row("uid" varchar, "name" varchar),
  "entity" row("uid" varchar, "name" varchar, "type_id" integer, "type" varchar, "user" row("uid" varchar, "name" varchar, "email_addr" varchar, "type_id" integer, "type" varchar, "programmatic_credentials" array(row("uid" varchar, "type" varchar))), "group" row("uid" varchar, "name" varchar, "type" varchar), "org" row("uid" varchar, "name" varchar), "policy" row("uid" varchar, "name" varchar, "type" varchar)),
  "dst_endpoint" row("hostname" varchar, "ip" varchar, "port" integer),
  "observables" array(row("type_id" integer, "name" varchar, "value" varchar)),
  "unmapped" varchar,
  "raw_data" varchar,
  "feed" varchar,
  "day" date
)
WITH (
  format = 'PARQUET',
  external_location = 's3://YOUR-BUCKET/lake-ocsf/',
  partitioned_by = ARRAY['feed', 'day']
);

-- Finds the folders: again for each new day.
CALL hive.system.sync_partition_metadata('default', 'atlassian_ocsf', 'ADD');
