{#- An instant as a number of milliseconds since 1970. -#}
{% macro unix_milliseconds(instant) -%}
{{ return(adapter.dispatch('unix_milliseconds', 'fitness_buddy')(instant)) }}
{%- endmacro %}

{% macro bigquery__unix_milliseconds(instant) -%}unix_millis({{ instant }}){%- endmacro %}

{% macro duckdb__unix_milliseconds(instant) -%}epoch_ms({{ instant }}){%- endmacro %}
