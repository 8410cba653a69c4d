{#- The scalar at a key path of a JSON column as text; null if the key is missing or JSON null. -#}
{% macro json_text(column, path) -%}
{{ return(adapter.dispatch('json_text', 'fitness_buddy')(column, path)) }}
{%- endmacro %}

{% macro bigquery__json_text(column, path) -%}json_value({{ column }}, '$.{{ path }}'){%- endmacro %}

{% macro duckdb__json_text(column, path) -%}json_extract_string({{ column }}, '$.{{ path }}'){%- endmacro %}
