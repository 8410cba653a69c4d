-- In one step, and only what raw does not hold yet. Among versions of one record that come together, the one that was
-- read last is current: loaded_at is the same for all, and load_id ends in that of the reading, which begins with its time.
begin transaction;
-- Statements that only insert do not see one another: of two bulk loads that meet here, BigQuery ends one.
update `{lock}` set loads = loads + 1 where true;
merge into `{raw_table}` as held
using `{staging_table}` as found
on
    held.loaded_at >= timestamp '1970-01-01'  -- all partitions, but raw wants to be asked for them
    and held.athlete_id = found.athlete_id
    and held.record_id = found.record_id
    and held.payload_hash = found.payload_hash
when not matched then
    insert (athlete_id, record_id, payload, payload_hash, loaded_at, load_id)
    values (athlete_id, record_id, payload, payload_hash, @loaded_at, concat(@load_id, '-', load_id));
commit transaction;
