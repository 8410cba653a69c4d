{#- Select all versions of a raw table for a staging model. Raw refuses queries without a filter on its partitions, so there
    is one that matches all. A filter on loaded_at in a query of staging prunes the partitions of raw. -#}
{% macro versions(raw_table) -%}
select
    athlete_id,
    record_id,
    payload,
    loaded_at,
    load_id
from {{ raw_table }}
where loaded_at >= timestamp '{{ min_date() }} 00:00:00'
{%- endmacro %}

{#- Whether a version is a tombstone: it repeats the last version of the record and has a mark. -#}
{% macro is_deleted(payload) -%}
coalesce({{ json_text(payload, '_deleted') }} = 'true', false)
{%- endmacro %}
