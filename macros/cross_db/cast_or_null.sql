{#- A text as another type; null if it is no such value. dbt's own safe_cast() ends the build on DuckDB then. -#}
{% macro cast_or_null(text, type) -%}{{ return(adapter.dispatch('cast_or_null')(text, type)) }}{%- endmacro %}

{% macro bigquery__cast_or_null(text, type) -%}safe_cast({{ text }} as {{ type }}){%- endmacro %}

{% macro duckdb__cast_or_null(text, type) -%}try_cast({{ text }} as {{ type }}){%- endmacro %}
