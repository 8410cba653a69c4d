{#- dbt's own: descriptions become comments in the warehouse. -#}
{% macro persist_docs(relation, model, for_relation=true, for_columns=true) -%}
{{ return(adapter.dispatch('persist_docs', 'fitness_buddy')(relation, model, for_relation, for_columns)) }}
{%- endmacro %}

{% macro bigquery__persist_docs(relation, model, for_relation, for_columns) -%}
{{ return(dbt.default__persist_docs(relation, model, for_relation, for_columns)) }}
{%- endmacro %}

{#- Comments would take an eighth of a build; `buddy docs` has the same texts. -#}
{% macro duckdb__persist_docs(relation, model, for_relation, for_columns) -%}{%- endmacro %}
