{#- Sums of float64 depend on the order of rows, and no engine promises one: added up as decimals they are the same every
    time, on every engine. -#}
{% macro exact_sum(column) -%}
cast(sum({{ decimal(column) }}) as float64)
{%- endmacro %}

{% macro exact_avg(column) -%}
{{ exact_sum(column) }} / nullif(count({{ column }}), 0)
{%- endmacro %}
