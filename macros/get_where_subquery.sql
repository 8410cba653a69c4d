{#- Inside `dbt build` a data test looks at what the build has anew: at the versions that came since the last one, and at
    the days that were replaced. The rest was tested when it was new; `dbt test` looks at all of it. -#}
{% macro get_where_subquery(relation) -%}
  {%- set tested = graph.nodes.get(model.attached_node) if execute and flags.WHICH == 'build' -%}
  {%- set conditions = [config.get('where')] if config.get('where') else [] -%}
  {%- if tested and tested.fqn[1] == 'staging' -%}
    {%- do conditions.append('loaded_at >= ' ~ loads_after(relation_of('int_loads_read'))) -%}
  {%- elif tested and tested.config.meta.day -%}
    {%- set since = last_rebuild_from(relation_of('int_rebuild_window')) -%}
    {%- do conditions.append(tested.config.meta.day ~ ' >= ' ~ day_constant(since)) -%}
  {%- endif -%}
  {%- if conditions -%}
    {{ return('(select * from ' ~ relation ~ ' where (' ~ conditions | join(') and (') ~ ')) as anew') }}
  {%- endif -%}
  {{ return(relation) }}
{%- endmacro %}

{#- Not by ref(), which would make every test hang on that model and be selected with it. -#}
{% macro relation_of(model_name) -%}
{%- set model = graph.nodes['model.' ~ project_name ~ '.' ~ model_name] -%}
{{ return(api.Relation.create(database=model.database, schema=model.schema, identifier=model.alias)) }}
{%- endmacro %}
