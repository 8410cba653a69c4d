{#- dbt's own, but decided by a var where there is no warehouse to look into:
    `dbt compile --no-introspect --vars '{compile_incremental: true}'`, or false for the variant from empty. -#}
{% macro is_incremental() %}
  {%- if var('compile_incremental') is not none -%}
    {{ return(execute and var('compile_incremental') and model.config.materialized == 'incremental') }}
  {%- endif -%}
  {#- A unit test without the input `this` has none, and says by override what its model sees. -#}
  {{ return(this is not none and dbt.is_incremental()) }}
{% endmacro %}
