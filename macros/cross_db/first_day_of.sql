{#- The first day of the month or year of a day. -#}
{% macro first_day_of(part, day) -%}{{ return(adapter.dispatch('first_day_of', 'fitness_buddy')(part, day)) }}{%- endmacro %}

{% macro bigquery__first_day_of(part, day) -%}date_trunc({{ day }}, {{ part }}){%- endmacro %}

{% macro duckdb__first_day_of(part, day) -%}cast(date_trunc('{{ part }}', {{ day }}) as date){%- endmacro %}
