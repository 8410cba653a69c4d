{#- A table function for a from clause: one row, column `part`, for every part of a text between separators. -#}
{% macro text_parts(text, separator) -%}
{{ return(adapter.dispatch('text_parts', 'fitness_buddy')(text, separator)) }}
{%- endmacro %}

{% macro bigquery__text_parts(text, separator) -%}unnest(split({{ text }}, '{{ separator }}')) as part{%- endmacro %}

{% macro duckdb__text_parts(text, separator) -%}
unnest(string_split({{ text }}, '{{ separator }}')) as parts (part)
{%- endmacro %}
