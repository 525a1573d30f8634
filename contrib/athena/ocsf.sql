-- Not run in Athena. The columns are those of `atlaudit schema --parquet ocsf`; .ci/parquet compares them.
-- To change: the bucket (twice), the names of your sources, the first day of the events.
CREATE EXTERNAL TABLE atlassian_ocsf (
  `class_uid` int,
  `class_name` string,
  `category_uid` int,
  `category_name` string,
  `activity_id` int,
  `activity_name` string,
  `type_uid` bigint,
  `type_name` string,
  `severity_id` int,
  `severity` string,
  `status_id` int,
  `status` string,
  `time` timestamp,
  `message` string,
  `metadata` struct<version:string,uid:string,original_event_uid:string,event_code:string,product:struct<name:string,vendor_name:string>,tenant_uid:string,log_name:string,source:string,original_time:string,logged_time:timestamp,processed_time:timestamp>,
  `actor` struct<`user`:struct<uid:string,name:string,email_addr:string,type_id:int,type:string,programmatic_credentials:array<struct<uid:string,type:string>>>,app_name:string,app_uid:string>,
  `src_endpoint` struct<ip:string,port:int,intermediate_ips:array<string>,location:struct<country:string,region:string,city:string>>,
  `user` struct<uid:string,name:string,email_addr:string,type_id:int,type:string,programmatic_credentials:array<struct<uid:string,type:string>>>,
  `policies` array<struct<uid:string,name:string,type:string>>,
  `service` struct<name:string>,
  `privileges` array<string>,
  `resources` array<struct<uid:string,name:string,type:string>>,
  `resource` struct<uid:string,name:string,type:string>,
  `group` struct<uid:string,name:string,type:string>,
  `subgroup` struct<uid:string,name:string,type:string>,
  `web_resources` array<struct<uid:string,name:string,type:string,url_string:string>>,
  `api` struct<operation:string,service:struct<name:string>>,
  `app` struct<uid:string,name:string>,
  `entity` struct<uid:string,name:string,type_id:int,type:string,`user`:struct<uid:string,name:string,email_addr:string,type_id:int,type:string,programmatic_credentials:array<struct<uid:string,type:string>>>,`group`:struct<uid:string,name:string,type:string>,org:struct<uid:string,name:string>,policy:struct<uid:string,name:string,type:string>>,
  `dst_endpoint` struct<hostname:string,ip:string,port:int>,
  `observables` array<struct<type_id:int,name:string,value:string>>,
  `unmapped` string,
  `raw_data` string
)
PARTITIONED BY (`feed` string, `day` string)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/lake-ocsf/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.feed.type' = 'enum',
  'projection.feed.values' = 'acme,acme-jira',
  'projection.day.type' = 'date',
  'projection.day.format' = 'yyyy-MM-dd',
  'projection.day.range' = '2026-01-01,NOW',
  'projection.day.interval' = '1',
  'projection.day.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://YOUR-BUCKET/lake-ocsf/feed=${feed}/day=${day}/'
);
