{#- Whether to send a `create … if not exists` for a table. -#}
{% macro needs_creating(relation) -%}
{{ return(adapter.dispatch('needs_creating', 'fitness_buddy')(relation)) }}
{%- endmacro %}

{#- BigQuery needs the right to create even if the table exists, and dbt's account may not have it in raw. -#}
{% macro bigquery__needs_creating(relation) -%}
{{ return(flags.WHICH == 'compile' or adapter.get_relation(relation.database, relation.schema, relation.identifier) is none) }}
{%- endmacro %}

{#- A look-up would open a transaction that dbt's hooks never commit. -#}
{% macro duckdb__needs_creating(relation) -%}{{ return(true) }}{%- endmacro %}
