{#- The end of the DDL of a raw table with typed columns: its partitions and clusters, as the loaders make them. -#}
{% macro typed_table_layout(time, cluster) -%}{{ return(adapter.dispatch('typed_table_layout')(time, cluster)) }}{%- endmacro %}

{% macro bigquery__typed_table_layout(time, cluster) -%}
{%- if time %} partition by date({{ time }}) cluster by {{ cluster }}{%- endif -%}
{%- endmacro %}

{% macro duckdb__typed_table_layout(time, cluster) -%}{%- endmacro %}
