-- The rows of one raw table as they lie in the bucket. The payload is text here and becomes JSON where it is typed.
create external table `{external_table}` (
    athlete_id string,
    record_id string,
    payload string,
    payload_hash string,
    load_id string
)
options (
    format = 'NEWLINE_DELIMITED_JSON',
    compression = 'GZIP',
    uris = ['{rows_uri}'],
    max_bad_records = 0,
    -- What a crash leaves behind goes by itself.
    expiration_timestamp = timestamp_add(current_timestamp(), interval 1 day)
)
