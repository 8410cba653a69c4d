-- Rows with types, and each version of a record once: its id is (athlete_id, record_id, payload_hash). The row of the load
-- that read the version first is kept, the same row as if the files had been loaded one by one.
create table `{staging_table}`
options (expiration_timestamp = timestamp_add(current_timestamp(), interval 1 day))
as
select
    athlete_id,
    record_id,
    parse_json(payload, wide_number_mode => 'round') as payload,
    payload_hash,
    load_id
from `{external_table}`
qualify row_number() over (partition by athlete_id, record_id, payload_hash order by load_id) = 1
