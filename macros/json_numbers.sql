{#- Convert a number of a payload, which is text that the reader has checked. What no reader lets through, such as 1e308 or
    nan, is null: in sums it would end the build of all athletes. -#}
{% macro json_float(column, path) -%}
{%- set number = cast_or_null(json_text(column, path), 'float64') -%}
case when abs({{ number }}) < 1e15 then {{ number }} end
{%- endmacro %}

{#- Convert by way of float64, because many files have `123.0`, which not every engine casts to an integer. -#}
{% macro json_int(column, path) -%}cast(round({{ json_float(column, path) }}) as int64){%- endmacro %}
