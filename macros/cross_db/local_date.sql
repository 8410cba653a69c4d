{#- The calendar day of an instant in a time zone. -#}
{% macro local_date(instant, timezone) -%}
{{ return(adapter.dispatch('local_date', 'fitness_buddy')(instant, timezone)) }}
{%- endmacro %}

{% macro bigquery__local_date(instant, timezone) -%}date({{ instant }}, {{ timezone }}){%- endmacro %}

{% macro duckdb__local_date(instant, timezone) -%}
cast(timezone({{ timezone }}, timezone('UTC', {{ instant }})) as date)
{%- endmacro %}
