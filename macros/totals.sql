{#- Sums per source and per gear: of records, and of such sums over parts that share no day. Distances stay decimals, so
    that the sum of sums is the sum. -#}
{% macro source_totals(records) -%}
select
    athlete_id,
    area,
    source,
    count(*) as records,
    min(record_date) as first_date,
    max(record_date) as last_date,
    count(distinct record_date) as observed_days,
    max(loaded_at) as last_loaded_at
from {{ records }}
group by athlete_id, area, source
{%- endmacro %}

{% macro source_totals_together(parts) -%}
select
    athlete_id,
    area,
    source,
    cast(sum(records) as int64) as records,
    min(first_date) as first_date,
    max(last_date) as last_date,
    cast(sum(observed_days) as int64) as observed_days,
    max(last_loaded_at) as last_loaded_at
from {{ parts }}
group by athlete_id, area, source
{%- endmacro %}

{% macro gear_totals(activities) -%}
select
    athlete_id,
    gear_id,
    count(*) as activities,
    sum({{ decimal('distance_m') }}) as distance_m,
    min(activity_date) as first_used_on,
    max(activity_date) as last_used_on
from {{ activities }}
where gear_id is not null
group by athlete_id, gear_id
{%- endmacro %}

{% macro gear_totals_together(parts) -%}
select
    athlete_id,
    gear_id,
    cast(sum(activities) as int64) as activities,
    sum(distance_m) as distance_m,
    min(first_used_on) as first_used_on,
    max(last_used_on) as last_used_on
from {{ parts }}
group by athlete_id, gear_id
{%- endmacro %}
