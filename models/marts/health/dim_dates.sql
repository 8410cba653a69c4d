with athletes as (
    select * from {{ ref('int_athletes_as_of') }}
),

coverage as (
    select * from {{ ref('fct_source_coverage') }}
),

span as (
    select
        min(coverage.first_date) as first_date,
        max(athletes.as_of_date) as last_date
    from athletes
    inner join coverage on athletes.athlete_id = coverage.athlete_id
),

-- whole years, and the last days of the week in which the first begins
days as (
    select day as date_day -- noqa: RF02
    from span
    cross join
        {{ days_between(
            add_days(first_day_of('year', 'span.first_date'), -6),
            last_day_from('year', first_day_of('year', 'span.last_date'))
        ) }}
),

-- the Thursday of an ISO week is in the year that the week belongs to
with_weeks as (
    select
        date_day,
        {{ week_start('date_day', "'monday'") }} as iso_week_start,
        {{ week_start('date_day', "'sunday'") }} as sunday_week_start,
        {{ week_start('date_day', "'saturday'") }} as saturday_week_start
    from days
),

with_thursdays as (
    select
        *,
        {{ add_days('iso_week_start', 3) }} as thursday
    from with_weeks
),

with_new_years as (
    select
        *,
        {{ first_day_of('year', 'thursday') }} as new_year
    from with_thursdays
),

final as (
    select
        date_day,
        cast(extract(year from date_day) as int64) as year_number,
        cast(extract(month from date_day) as int64) as month_number,
        {{ first_day_of('month', 'date_day') }} as month_start,
        {{ first_day_of('year', 'date_day') }} as year_start,
        cast(extract(year from thursday) as int64) as iso_year,
        cast(floor(({{ day_number('thursday') }} - {{ day_number('new_year') }}) / 7.0) as int64) + 1 as iso_week,
        -- 1 is Monday
        cast({{ day_number('date_day') }} - {{ day_number('iso_week_start') }} + 1 as int64) as iso_weekday,
        iso_week_start,
        sunday_week_start,
        saturday_week_start
    from with_new_years
)

select * from final
