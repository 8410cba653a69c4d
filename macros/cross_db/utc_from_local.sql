{#- The instant at which a wall clock in a time zone shows a local date and time. -#}
{% macro utc_from_local(local, timezone) -%}
{{ return(adapter.dispatch('utc_from_local', 'fitness_buddy')(local, timezone)) }}
{%- endmacro %}

{% macro bigquery__utc_from_local(local, timezone) -%}timestamp({{ local }}, {{ timezone }}){%- endmacro %}

{% macro duckdb__utc_from_local(local, timezone) -%}
timezone('UTC', timezone({{ timezone }}, cast({{ local }} as timestamp)))
{%- endmacro %}
