{#- Contracts and casts use the type names of GoogleSQL. DuckDB knows all of them but one, which is created here. -#}
{% macro define_types() -%}
{{ return(adapter.dispatch('define_types', 'fitness_buddy')()) }}
{%- endmacro %}

{% macro bigquery__define_types() %}{% endmacro %}

{% macro duckdb__define_types() -%}
create type if not exists float64 as double
{%- endmacro %}
