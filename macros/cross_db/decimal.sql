{#- A number as a decimal with nine places, which is the only precision of BigQuery's type. -#}
{% macro decimal(number) -%}
{{ return(adapter.dispatch('decimal', 'fitness_buddy')(number)) }}
{%- endmacro %}

{% macro bigquery__decimal(number) -%}cast({{ number }} as numeric){%- endmacro %}

{% macro duckdb__decimal(number) -%}cast({{ number }} as numeric(38, 9)){%- endmacro %}
