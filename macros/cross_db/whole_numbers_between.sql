{#- A table function for a from clause: one row, column `number`, for every whole number from first to last, both included. -#}
{% macro whole_numbers_between(first, last) -%}
{{ return(adapter.dispatch('whole_numbers_between', 'fitness_buddy')(first, last)) }}
{%- endmacro %}

{% macro bigquery__whole_numbers_between(first, last) -%}
unnest(generate_array({{ first }}, {{ last }})) as number
{%- endmacro %}

{% macro duckdb__whole_numbers_between(first, last) -%}
(
    select series.value as number
    from unnest(generate_series({{ first }}, {{ last }})) as series (value)
) as numbers
{%- endmacro %}
