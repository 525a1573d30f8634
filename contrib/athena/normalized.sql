-- Not run in Athena. The columns are those of `atlaudit schema --parquet normalized`; .ci/parquet compares them.
-- To change: the bucket (twice), the names of your sources, the first day of the events.
CREATE EXTERNAL TABLE atlassian_events (
  `schema` string,
  `id` string,
  `source` struct<name:string,type:string,org_id:string,site:string,workspace:string>,
  `time` timestamp,
  `processed_time` timestamp,
  `observed_time` timestamp,
  `action` string,
  `category` string,
  `outcome` string,
  `message` string,
  `product` string,
  `actor` struct<type:string,id:string,name:string,email:string,auth:struct<type:string,token_id:string,token_label:string>,on_behalf_of:struct<id:string,name:string,email:string>>,
  `targets` array<struct<type:string,id:string,name:string,email:string,url:string,parent:struct<id:string,name:string>>>,
  `changes` array<struct<field:string,`from`:string,`to`:string>>,
  `client` struct<ip:string,forwarded:array<string>,country:string,country_code:string,region:string,city:string,geo:string>,
  `labels` string,
  `raw` string
)
PARTITIONED BY (`feed` string, `day` string)
STORED AS PARQUET
LOCATION 's3://YOUR-BUCKET/lake/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.feed.type' = 'enum',
  'projection.feed.values' = 'acme,acme-jira',
  'projection.day.type' = 'date',
  'projection.day.format' = 'yyyy-MM-dd',
  'projection.day.range' = '2026-01-01,NOW',
  'projection.day.interval' = '1',
  'projection.day.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://YOUR-BUCKET/lake/feed=${feed}/day=${day}/'
);
