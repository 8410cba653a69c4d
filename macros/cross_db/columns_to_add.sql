{#- The columns (name and type) that a table of an earlier version may lack. -#}
{% macro columns_to_add(relation, typed) -%}
{{ return(adapter.dispatch('columns_to_add', 'fitness_buddy')(relation, typed)) }}
{%- endmacro %}

{#- BigQuery needs the right to alter even if the columns exist, and dbt's account may not have it in raw. -#}
{% macro bigquery__columns_to_add(relation, typed) -%}
  {%- if not typed or flags.WHICH == 'compile' -%}{{ return([]) }}{%- endif -%}
  {%- set table = adapter.get_relation(relation.database, relation.schema, relation.identifier) -%}
  {%- if table is none -%}{{ return([]) }}{%- endif -%}
  {%- set present = adapter.get_columns_in_relation(table) | map(attribute='name') | list -%}
  {%- set missing = [] -%}
  {%- for column in typed if column.split(' ')[0] not in present -%}{%- do missing.append(column) -%}{%- endfor -%}
  {{ return(missing) }}
{%- endmacro %}

{#- A look-up would open a transaction that dbt's hooks never commit. -#}
{% macro duckdb__columns_to_add(relation, typed) -%}{{ return(typed) }}{%- endmacro %}
