{#- Numbers in payloads are text that the reader has checked. -#}
{% macro json_float(column, path) -%}{{ dbt.safe_cast(json_text(column, path), 'float64') }}{%- endmacro %}

{#- By way of float64: `123.0` is a whole number in many files, and not in every engine's cast. -#}
{% macro json_int(column, path) -%}cast(round({{ json_float(column, path) }}) as int64){%- endmacro %}
