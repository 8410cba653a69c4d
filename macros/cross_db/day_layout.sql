{#- The config of a table of days: partitions, clustering, and the strategy that replaces days (replace_days). -#}
{% macro day_layout(day, is_incremental, meta) -%}
{{ return(adapter.dispatch('day_layout', 'fitness_buddy')(day, is_incremental, meta)) }}
{%- endmacro %}

{% macro bigquery__day_layout(day, is_incremental, meta) -%}
{{ return({
    'materialized': 'incremental' if is_incremental else 'table',
    'incremental_strategy': 'insert_overwrite',
    'on_schema_change': 'fail',
    'partition_by': {'field': day, 'data_type': 'date', 'granularity': 'day'},
    'cluster_by': ['athlete_id'],
    'meta': meta,
}) }}
{%- endmacro %}

{#- DuckDB needs no partitions: it skips rows by the minimum and maximum of every column. -#}
{% macro duckdb__day_layout(day, is_incremental, meta) -%}
{{ return({
    'materialized': 'incremental' if is_incremental else 'table',
    'incremental_strategy': 'replace_days',
    'on_schema_change': 'fail',
    'meta': meta,
}) }}
{%- endmacro %}
