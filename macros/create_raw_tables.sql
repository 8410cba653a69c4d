{% macro create_raw_tables() -%}
  {#- Makes every declared raw table that is not there yet, empty: `dbt build` works before anything was loaded. -#}
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
