{% macro current_versions(raw_table) -%}
{#- What a staging model reads of a raw table, and the one place that says which of a record's versions is current: the
    last one loaded. -#}
select
    athlete_id,
    record_id,
    payload,
    loaded_at
from {{ raw_table }}
qualify row_number() over (partition by athlete_id, record_id order by loaded_at desc, load_id desc) = 1
{%- endmacro %}
