{#- An ISO 8601 text with an offset or Z as an instant. -#}
{% macro utc_timestamp(text) -%}
{{ return(adapter.dispatch('utc_timestamp', 'fitness_buddy')(text)) }}
{%- endmacro %}

{% macro bigquery__utc_timestamp(text) -%}safe_cast({{ text }} as timestamp){%- endmacro %}

{#- On DuckDB instants are plain timestamps in UTC, so that no session setting can shift them. -#}
{% macro duckdb__utc_timestamp(text) -%}try_cast({{ text }} as timestamp){%- endmacro %}
