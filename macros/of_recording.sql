{#- A total of the recording of an activity; null if the file is cut off, because then it has a part only. -#}
{% macro of_recording(column) -%}
case when not recorded.is_partial then recorded.{{ column }} end
{%- endmacro %}
