{{ config(meta={'reads_all_days': true}) }}

with workouts as (
    select
        athlete_id,
        activity_date,
        sport_family,
        distance_m
    from {{ ref('fct_daily_workouts') }}
),

units as (
    select
        'km' as unit,
        1000.0 as unit_m
    union all
    select
        'mi' as unit,
        1609.344 as unit_m
),

days as (
    select
        workouts.athlete_id,
        workouts.sport_family,
        units.unit,
        cast(floor(workouts.distance_m / units.unit_m) as int64) as distance_units
    from workouts
    cross join units
    where workouts.distance_m > 0
),

ranked as (
    select
        *,
        row_number() over (partition by athlete_id, sport_family, unit order by distance_units desc) as day_rank
    from days
),

numbers as (
    select
        athlete_id,
        sport_family,
        unit,
        -- the n-th longest day has at least n units
        count(case when distance_units >= day_rank then 1 end) as eddington_number
    from ranked
    group by athlete_id, sport_family, unit
),

final as (
    select
        numbers.athlete_id,
        numbers.sport_family,
        numbers.unit,
        numbers.eddington_number,
        count(case when days.distance_units >= numbers.eddington_number then 1 end) as days_at_number,
        numbers.eddington_number + 1
        - count(case when days.distance_units >= numbers.eddington_number + 1 then 1 end) as days_needed_for_next
    from numbers
    inner join days
        on
            numbers.athlete_id = days.athlete_id
            and numbers.sport_family = days.sport_family
            and numbers.unit = days.unit
    group by numbers.athlete_id, numbers.sport_family, numbers.unit, numbers.eddington_number
)

select * from final
