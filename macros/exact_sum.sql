{#- Sum up float64 values as decimals: the sum of floats depends on the order of rows, which no engine guarantees.

    frame: the name of a window, for a running sum. -#}
{% macro exact_sum(column, frame='') -%}
cast(sum({{ decimal(column) }}){{ ' over ' ~ frame if frame }} as float64)
{%- endmacro %}

{% macro exact_avg(column, frame='') -%}
{{ exact_sum(column, frame) }} / nullif(count({{ column }}){{ ' over ' ~ frame if frame }}, 0)
{%- endmacro %}
