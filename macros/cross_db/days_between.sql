{#- A table function for a from clause: one row, column `day`, for every day from first to last, both included. -#}
{% macro days_between(first_day, last_day) -%}
{{ return(adapter.dispatch('days_between', 'fitness_buddy')(first_day, last_day)) }}
{%- endmacro %}

{% macro bigquery__days_between(first_day, last_day) -%}
unnest(generate_date_array({{ first_day }}, {{ last_day }})) as day
{%- endmacro %}

{% macro duckdb__days_between(first_day, last_day) -%}
(
    select cast(series.value as date) as day
    from unnest(generate_series({{ first_day }}, {{ last_day }}, interval 1 day)) as series (value)
) as days
{%- endmacro %}
