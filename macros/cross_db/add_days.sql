{#- The day so many days after a day; before it, if the number is negative. -#}
{% macro add_days(day, number) -%}{{ return(adapter.dispatch('add_days', 'fitness_buddy')(day, number)) }}{%- endmacro %}

{% macro bigquery__add_days(day, number) -%}date_add({{ day }}, interval {{ number }} day){%- endmacro %}

{#- DuckDB adds no number of 64 bits to a day. -#}
{% macro duckdb__add_days(day, number) -%}({{ day }} + cast({{ number }} as integer)){%- endmacro %}
