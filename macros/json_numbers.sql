{#- Convert a number of a payload, which is text that the reader has checked. -#}
{% macro json_float(column, path) -%}{{ dbt.safe_cast(json_text(column, path), 'float64') }}{%- endmacro %}

{#- Convert by way of float64, because many files have `123.0`, which not every engine casts to an integer. -#}
{% macro json_int(column, path) -%}cast(round({{ json_float(column, path) }}) as int64){%- endmacro %}
