{#- DDL of one raw table (docs/ingest/raw.md). The loaders in src/fitness_buddy/warehouse create the same. -#}
{% macro create_raw_table(relation) -%}
{{ return(adapter.dispatch('create_raw_table', 'fitness_buddy')(relation)) }}
{%- endmacro %}

{% macro bigquery__create_raw_table(relation) -%}
create table if not exists {{ relation }} (
    athlete_id string not null,
    record_id string not null,
    payload json not null,
    payload_hash string not null,
    loaded_at timestamp not null,
    load_id string not null
)
partition by date(loaded_at)
cluster by athlete_id
options (require_partition_filter = true)
{%- endmacro %}

{% macro duckdb__create_raw_table(relation) -%}
create table if not exists {{ relation }} (
    athlete_id varchar not null,
    record_id varchar not null,
    payload json not null,
    payload_hash varchar not null,
    loaded_at timestamp not null,
    load_id varchar not null
)
{%- endmacro %}
