-- One row a line, whatever the format. The files are those of this folder, or of SET VARIABLE files = 'GLOB'.
CREATE OR REPLACE VIEW events AS
SELECT
  coalesce(json ->> '$.id', json ->> '$.event.id', json ->> '$.metadata.uid') AS id,
  -- Normalized and ecs say one; of ocsf it is the class.
  coalesce(json ->> '$.category', json ->> '$.event.category[0]', json ->> '$.class_name') AS category,
  coalesce(json ->> '$.action', json ->> '$.event.action', json ->> '$.metadata.event_code') AS action,
  coalesce(json ->> '$.outcome', json ->> '$.event.outcome', lower(json ->> '$.status')) AS outcome,
  json
FROM read_json_objects(coalesce(getvariable('files'), '*.jsonl*'), format = 'newline_delimited', maximum_object_size = 67108864);
