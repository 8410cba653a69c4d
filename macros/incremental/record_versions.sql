{#- The names of all staging models, from which dbt reads the edges of its graph. Everything else is in the meta of the
    models (event_day, record_id, days_in). -#}
{% macro staging_models() -%}
{{ return([
    'stg_activity_files__laps',
    'stg_activity_files__sessions',
    'stg_meals__entries',
    'stg_steps__daily_counts',
    'stg_steps__interval_counts',
    'stg_strava__api_activities',
    'stg_strava__export_activities',
    'stg_strava__export_gear',
]) }}
{%- endmacro %}

{#- Select the versions of all records that were loaded since an instant: entity (the staging model), athlete_id, record_id,
    load_id, loaded_at, and event_day, the UTC day of the record (null: a record without a day). -#}
{% macro record_versions(since) -%}
{%- for name in staging_models() %}
{%- set meta = meta_of(id_of(name)) %}
select
    '{{ name }}' as entity,
    athlete_id,
    {{ meta.record_id or 'record_id' }} as record_id,
    load_id,
    loaded_at,
    {{ meta.event_day or 'cast(null as date)' }} as event_day
from {{ ref(name) }}
where loaded_at >= {{ since }}
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}
{%- endmacro %}

{#- Select the days on which changed records were after the last build, for records that can move to another day (meta
    days_in: the table that has the records with their days). -#}
{% macro former_days(changed) -%}
{%- set entities = {} -%}
{%- for name in staging_models() if meta_of(id_of(name)).days_in -%}
  {%- do entities.setdefault(meta_of(id_of(name)).days_in, []).append(name) -%}
{%- endfor -%}
{%- for table, names in entities.items() %}
{%- set day = meta_of(id_of(table)).day %}
select built.{{ day }} as affected_day
from {{ relation_of(table) }} as built
inner join {{ changed }} as changed
    on built.athlete_id = changed.athlete_id and built.{{ meta_of(id_of(names[0])).record_id }} = changed.record_id
where
    changed.entity in ('{{ names | join("', '") }}')
    and built.{{ day }} >= {{ day_constant(reach()) }}
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}
{%- endmacro %}

{#- The instant since which there may be loads that a table of loads does not have: a load becomes visible when it is
    complete, up to an hour after the load time of its rows. A load with a time after the run that read it has the time of
    a wrong clock, so the run's counts. -#}
{% macro loads_after(loads) -%}
{%- set known_at = 'max(least(loaded_at, first_read_at))' -%}
{{ return(instant_constant(loads, 'select ' ~ dbt.dateadd('hour', -1, known_at) ~ ' from ' ~ loads)
    or loaded_since(min_date())) }}
{%- endmacro %}
