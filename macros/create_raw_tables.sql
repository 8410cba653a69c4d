{% macro create_raw_tables() -%}
  {#- Makes every declared source table that is not there yet, empty: `dbt build` works before anything was loaded.
      Statements rather than queries run from here, so that compiling needs no warehouse. -#}
  {%- if execute -%}
    {%- for source in graph.sources.values() if source.package_name == project_name -%}
      {%- set relation = api.Relation.create(
          database=source.database, schema=source.schema, identifier=source.identifier
      ) %}
create schema if not exists {{ relation.without_identifier() }};
{{ create_raw_table(relation) }};
    {%- endfor -%}
  {%- endif -%}
{%- endmacro %}
