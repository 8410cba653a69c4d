{#- The speed from which an athlete counts as moving, in millimetres a second: half a metre a second, a slow walk uphill. -#}
{% macro moving_mm_s() -%}500{%- endmacro %}
