{#- Where dbt asks for the SQL of an incremental strategy, by the names that its adapters expect. -#}

{#- dbt-duckdb looks a strategy up by its name. -#}
{% macro get_incremental_replace_days_sql(arguments) -%}
{{ return(replace_days(
    arguments.target_relation,
    config.get('meta').day,
    day_constant(rebuild_from()),
    arguments.temp_relation,
    get_quoted_csv(arguments.dest_columns | map(attribute='name')),
)) }}
{%- endmacro %}

{#- dbt-bigquery knows three strategies only: this takes the place of its insert_overwrite. -#}
{% macro bq_generate_incremental_insert_overwrite_build_sql(
    tmp_relation, target_relation, sql, unique_key, partition_by, partitions, dest_columns, tmp_relation_exists,
    copy_partitions
) -%}
{{ return(replace_days(
    target_relation,
    partition_by.field,
    day_constant(rebuild_from()),
    tmp_relation if tmp_relation_exists else '(' ~ sql ~ ')',
    get_quoted_csv(dest_columns | map(attribute='name')),
)) }}
{%- endmacro %}
