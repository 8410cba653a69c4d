{% macro create_raw_tables() -%}
  {#- Makes every declared source table that is not there yet, empty: `dbt build` works before anything was loaded. -#}
  {%- if execute -%}
    {%- for source in graph.sources.values() if source.package_name == project_name -%}
      {%- set relation = api.Relation.create(
          database=source.database, schema=source.schema, identifier=source.identifier
      ) -%}
      {%- if loop.first %}{% do adapter.create_schema(relation) %}{% endif -%}
      {%- do run_query(create_raw_table(relation)) -%}
    {%- endfor -%}
  {%- endif -%}
{%- endmacro %}
