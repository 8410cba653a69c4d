{{ config(**daily('date_day', lookback_days=1)) }}

with activities as (
    select * from {{ ref('int_activities_localized') }}
    where gear_id is not null and is_transition is not true
),

days as (
    select * from {{ ref('int_date_spine') }}
),

before as (
    {{ lookback({
        'athlete_id': 'string',
        'gear_id': 'string',
        'date_day': 'date',
        'activities': 'int64',
        'distance_m': 'numeric',
        'first_used_on': 'date',
        'last_used_on': 'date',
    }) | indent }}
),

used as (
    select
        athlete_id,
        gear_id,
        activity_date as date_day,
        count(*) as activities,
        sum({{ decimal('distance_m') }}) as distance_m
    from activities
    group by athlete_id, gear_id, activity_date
),

starts as (
    select
        athlete_id,
        gear_id,
        date_day
    from used
    union all
    select
        athlete_id,
        gear_id,
        date_day
    from before
),

gear as (
    select
        athlete_id,
        gear_id,
        min(date_day) as since
    from starts
    group by athlete_id, gear_id
),

gear_days as (
    select
        gear.athlete_id,
        gear.gear_id,
        days.date_day
    from gear
    inner join days on gear.athlete_id = days.athlete_id and gear.since <= days.date_day
),

final as (
    select
        gear_days.athlete_id,
        gear_days.gear_id,
        gear_days.date_day,
        cast(sum(coalesce(before.activities, used.activities)) over so_far as int64) as activities,
        sum(coalesce(before.distance_m, used.distance_m)) over so_far as distance_m,
        min(coalesce(before.first_used_on, used.date_day)) over so_far as first_used_on,
        max(coalesce(before.last_used_on, used.date_day)) over so_far as last_used_on
    from gear_days
    left join used
        on
            gear_days.athlete_id = used.athlete_id
            and gear_days.gear_id = used.gear_id
            and gear_days.date_day = used.date_day
    left join before
        on
            gear_days.athlete_id = before.athlete_id
            and gear_days.gear_id = before.gear_id
            and gear_days.date_day = before.date_day
    window
        so_far as (
            partition by gear_days.athlete_id, gear_days.gear_id
            order by gear_days.date_day
            rows between unbounded preceding and current row
        )
)

select * from final
