{#- How a large table with rows for days lies on disk and is kept up to date: as `config(**day_layout('activity_date'))`.
    Both engines replace whole days, from rebuild_from() on (replace_days). -#}
{% macro day_layout(day) -%}{{ return(adapter.dispatch('day_layout')(day)) }}{%- endmacro %}

{% macro bigquery__day_layout(day) -%}
{{ return({
    'materialized': 'incremental',
    'incremental_strategy': 'insert_overwrite',
    'on_schema_change': 'fail',
    'partition_by': {'field': day, 'data_type': 'date', 'granularity': 'day'},
    'cluster_by': ['athlete_id'],
    'meta': {'day': day},
}) }}
{%- endmacro %}

{#- DuckDB skips by the minima and maxima that it keeps of every column anyway. -#}
{% macro duckdb__day_layout(day) -%}
{{ return({
    'materialized': 'incremental',
    'incremental_strategy': 'replace_days',
    'on_schema_change': 'fail',
    'meta': {'day': day},
}) }}
{%- endmacro %}
