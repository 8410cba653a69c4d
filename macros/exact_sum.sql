{#- Sum up float64 values as decimals: the sum of floats depends on the order of rows, which no engine guarantees. -#}
{% macro exact_sum(column) -%}
cast(sum({{ decimal(column) }}) as float64)
{%- endmacro %}

{% macro exact_avg(column) -%}
{{ exact_sum(column) }} / nullif(count({{ column }}), 0)
{%- endmacro %}
