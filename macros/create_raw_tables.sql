{% macro create_raw_tables() -%}
  {#- Create every declared raw table that is missing, so that `dbt build` works before the first load. -#}
  {%- if execute -%}
    {%- for source in graph.sources.values() if source.package_name == project_name -%}
      {%- set relation = api.Relation.create(
          database=source.database, schema=source.schema, identifier=source.identifier
      ) %}
      {%- if needs_creating(relation) %}
create schema if not exists {{ relation.without_identifier() }};
{{ create_raw_table(relation) }};
      {%- endif %}
    {%- endfor -%}
  {%- endif -%}
{%- endmacro %}
