{#- What a staging model reads of a raw table. Raw refuses queries without a filter on its partitions, and staging is the
    one that may read them all; whoever filters staging by loaded_at prunes raw. -#}
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

{#- A deletion repeats the record as it last was, marked. -#}
{% macro is_deleted(payload) -%}
coalesce({{ json_text(payload, '_deleted') }} = 'true', false)
{%- endmacro %}
