{% macro generate_schema_name(custom_schema_name, node) -%}
  {#- There are four schemas: raw, staging, intermediate, marts. On a shared warehouse each developer sets a prefix for the
      three schemas that dbt builds; all developers read the same raw. -#}
  {{ env_var('BUDDY_SCHEMA_PREFIX', '') }}{{ custom_schema_name or 'marts' }}
{%- endmacro %}
