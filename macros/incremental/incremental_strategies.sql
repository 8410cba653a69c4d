{#- The macros that dbt calls for the SQL of an incremental model, with the names that its adapters expect. -#}

{#- dbt-duckdb finds a strategy by its name. -#}
{% macro get_incremental_replace_days_sql(arguments) -%}
{{ return(replace_days(
    arguments.target_relation,
    config.get('meta').day,
    window_start(),
    arguments.temp_relation,
    get_quoted_csv(arguments.dest_columns | map(attribute='name')),
)) }}
{%- endmacro %}

{#- dbt-bigquery knows only three strategies: this replaces its insert_overwrite. -#}
{% macro bq_generate_incremental_insert_overwrite_build_sql(
    tmp_relation, target_relation, sql, unique_key, partition_by, partitions, dest_columns, tmp_relation_exists,
    copy_partitions
) -%}
{{ return(replace_days(
    target_relation,
    partition_by.field,
    window_start(),
    tmp_relation,
    get_quoted_csv(dest_columns | map(attribute='name')),
)) }}
{%- endmacro %}

{#- This replaces dbt-bigquery's way to create a table: the new rows of a window need no partitions, and days are written in
    spans. -#}
{% macro bq_create_table_as(partition_by, temporary, relation, compiled_code, language='sql') -%}
{%- set spans = day_spans(min_date()) if config.get('meta', {}).day else [] -%}
{%- if temporary -%}
create or replace table {{ relation }}
{{ bigquery_table_options(config, model, temporary) }}
as (
{{ compiled_code }}
);
{%- elif spans | length > 1 -%}
create temp table rows_now as (
{{ compiled_code }}
);
{{ create_table_as(temporary, relation, 'select * from (' ~ compiled_code ~ ') where false', language) }}
{%- for span in spans %}
insert into {{ relation }} select * from rows_now where {{ in_span(partition_by.field, span) }};
{%- endfor %}
{%- else -%}
{{ create_table_as(temporary, relation, compiled_code, language) }}
{%- endif -%}
{%- endmacro %}
