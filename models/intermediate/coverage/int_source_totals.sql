{{ config(**daily('date_day', lookback_days=1)) }}

with records as (
    select * from {{ ref('int_source_records') }}
),

days as (
    select * from {{ ref('int_date_spine') }}
),

before as (
    {{ lookback({
        'athlete_id': 'string',
        'area': 'string',
        'source': 'string',
        'date_day': 'date',
        'records': 'int64',
        'observed_days': 'int64',
        'first_date': 'date',
        'last_date': 'date',
        'last_loaded_at': 'timestamp',
    }) | indent }}
),

counted as (
    select
        athlete_id,
        area,
        source,
        record_date as date_day,
        count(*) as records,
        1 as observed_days,
        max(loaded_at) as last_loaded_at
    from records
    group by athlete_id, area, source, record_date
),

starts as (
    select
        athlete_id,
        area,
        source,
        date_day
    from counted
    union all
    select
        athlete_id,
        area,
        source,
        date_day
    from before
),

sources as (
    select
        athlete_id,
        area,
        source,
        min(date_day) as since
    from starts
    group by athlete_id, area, source
),

source_days as (
    select
        sources.athlete_id,
        sources.area,
        sources.source,
        days.date_day
    from sources
    inner join days on sources.athlete_id = days.athlete_id and sources.since <= days.date_day
),

final as (
    select
        source_days.athlete_id,
        source_days.area,
        source_days.source,
        source_days.date_day,
        cast(sum(coalesce(before.records, counted.records)) over so_far as int64) as records,
        cast(sum(coalesce(before.observed_days, counted.observed_days)) over so_far as int64) as observed_days,
        min(coalesce(before.first_date, counted.date_day)) over so_far as first_date,
        max(coalesce(before.last_date, counted.date_day)) over so_far as last_date,
        max(coalesce(before.last_loaded_at, counted.last_loaded_at)) over so_far as last_loaded_at
    from source_days
    left join counted
        on
            source_days.athlete_id = counted.athlete_id
            and source_days.area = counted.area
            and source_days.source = counted.source
            and source_days.date_day = counted.date_day
    left join before
        on
            source_days.athlete_id = before.athlete_id
            and source_days.area = before.area
            and source_days.source = before.source
            and source_days.date_day = before.date_day
    window
        so_far as (
            partition by source_days.athlete_id, source_days.area, source_days.source
            order by source_days.date_day
            rows between unbounded preceding and current row
        )
)

select * from final
