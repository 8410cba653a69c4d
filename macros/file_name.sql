{#- The last part of a path, in lower case. -#}
{% macro file_name(path) -%}
lower(substr({{ path }}, length({{ path }}) - strpos(reverse(concat('/', {{ path }})), '/') + 2))
{%- endmacro %}
