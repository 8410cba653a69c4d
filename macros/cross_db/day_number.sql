{#- The number of days since 1970-01-01, because window frames over days need a number. -#}
{% macro day_number(day) -%}
{{ return(adapter.dispatch('day_number', 'fitness_buddy')(day)) }}
{%- endmacro %}

{% macro bigquery__day_number(day) -%}unix_date({{ day }}){%- endmacro %}

{% macro duckdb__day_number(day) -%}({{ day }} - date '1970-01-01'){%- endmacro %}
