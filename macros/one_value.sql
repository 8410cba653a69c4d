{#- The one value of a query on a relation as text, for use as a constant: engines prune partitions by constants, not by
    subqueries. None where there is no value, or no relation yet; `offline` where there is no warehouse to ask. -#}
{% macro one_value(relation, sql, offline) -%}
  {%- if not execute or var('compile_incremental') is not none -%}{{ return(offline) }}{%- endif -%}
  {%- if is_built(relation) -%}
    {%- set rows = run_query(sql).rows -%}
    {{ return(rows[0][0] if rows | length else none) }}
  {%- endif -%}
  {{ return(none) }}
{%- endmacro %}
