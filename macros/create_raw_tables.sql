{% macro create_raw_tables() -%}
  {#- Create every declared raw table that is missing, so that `dbt build` works before the first load. A source that states
      the types of its columns is made with these, all others are tables of records. -#}
  {%- if execute -%}
    {%- for source in graph.sources.values() if source.package_name == 'fitness_buddy' -%}
      {%- set relation = api.Relation.create(
          database=source.database, schema=source.schema, identifier=source.identifier
      ) %}
      {%- set typed = [] -%}
      {%- for column in source.columns.values() if column.data_type -%}
        {%- do typed.append(column.name ~ ' ' ~ column.data_type) -%}
      {%- endfor -%}
      {%- if needs_creating(relation) %}
create schema if not exists {{ relation.without_identifier() }};
      {%- if typed %}
create table if not exists {{ relation }} ({{ typed | join(', ') }})
{{- typed_table_layout(source.meta.time, source.meta.cluster) }};
      {%- else %}
{{ create_raw_table(relation) }};
      {%- endif %}
      {%- endif %}
      {#- a table of an earlier version has fewer columns -#}
      {%- for column in columns_to_add(relation, typed) %}
alter table {{ relation }} add column if not exists {{ column }};
      {%- endfor %}
    {%- endfor -%}
  {%- endif -%}
{%- endmacro %}
