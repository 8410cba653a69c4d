{#- dbt's own macro; without a warehouse a var decides: `dbt compile --no-introspect --vars '{compile_incremental: true}'`,
    or false for the variant from empty. -#}
{% macro is_incremental() %}
  {%- if var('compile_incremental') is not none -%}
    {{ return(execute and var('compile_incremental') and model.config.materialized == 'incremental') }}
  {%- endif -%}
  {#- A unit test without the input `this` has none; it overrides the macros that its model uses. -#}
  {{ return(this is not none and dbt.is_incremental()) }}
{% endmacro %}
