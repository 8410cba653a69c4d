{% macro generate_schema_name(custom_schema_name, node) -%}
  {#- Four schemas: raw, staging, intermediate, marts; on a shared warehouse each developer sets a prefix for the three
      that dbt builds, and all read the same raw. -#}
  {{ env_var('BUDDY_SCHEMA_PREFIX', '') }}{{ custom_schema_name or 'marts' }}
{%- endmacro %}
