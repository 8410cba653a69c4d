{#- How a table with a row for a day lies on disk: as `config(materialized='table', **day_layout('activity_date'))`. -#}
{% macro day_layout(day) -%}{{ return(adapter.dispatch('day_layout')(day)) }}{%- endmacro %}

{% macro bigquery__day_layout(day) -%}
{{ return({'partition_by': {'field': day, 'data_type': 'date', 'granularity': 'day'}, 'cluster_by': ['athlete_id']}) }}
{%- endmacro %}

{#- DuckDB skips by the minima and maxima that it keeps of every column anyway. -#}
{% macro duckdb__day_layout(day) -%}{{ return({}) }}{%- endmacro %}
