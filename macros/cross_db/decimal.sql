{#- A number as a decimal with nine places; BigQuery refuses the precision in a cast, and has this one anyway. -#}
{% macro decimal(number) -%}{{ return(adapter.dispatch('decimal')(number)) }}{%- endmacro %}

{% macro bigquery__decimal(number) -%}cast({{ number }} as numeric){%- endmacro %}

{% macro duckdb__decimal(number) -%}cast({{ number }} as numeric(38, 9)){%- endmacro %}
