{#- Whether tables of days are built incrementally if BUDDY_INCREMENTAL is not set. -#}
{% macro is_incremental_by_default() -%}
{{ return(adapter.dispatch('is_incremental_by_default', 'fitness_buddy')()) }}
{%- endmacro %}

{#- BigQuery bills the bytes that a build reads. -#}
{% macro bigquery__is_incremental_by_default() -%}{{ return(true) }}{%- endmacro %}

{#- A build from empty costs less than a second for one athlete (DECISIONS.md), and has no state that could be wrong. -#}
{% macro duckdb__is_incremental_by_default() -%}{{ return(false) }}{%- endmacro %}
