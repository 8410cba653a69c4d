{{ config(**daily('date_day', lookback_days=1)) }}

with athletes as (
    select * from {{ ref('int_athletes_as_of') }}
),

settings as (
    select * from {{ ref('int_athlete_settings_scd') }}
),

before as (
    {{ lookback({'athlete_id': 'string', 'date_day': 'date'}) | indent }}
),

observed_days as (
    select
        athlete_id,
        record_date as date_day
    from {{ ref('int_source_records') }}
    union all
    -- an athlete who has a day has every day from then on
    select
        athlete_id,
        date_day
    from before
),

spans as (
    select
        observed_days.athlete_id,
        min(observed_days.date_day) as first_day,
        max(athletes.as_of_date) as last_day
    from observed_days
    inner join athletes on observed_days.athlete_id = athletes.athlete_id
    group by observed_days.athlete_id
),

days as (
    select
        spans.athlete_id,
        -- on BigQuery the value is not in a table that could qualify it
        day as date_day -- noqa: RF02
    from spans
    cross join {{ days_between('spans.first_day', 'spans.last_day') }}
),

final as (
    select
        days.athlete_id,
        days.date_day,
        settings.step_goal,
        settings.carbs_target_pct,
        settings.protein_target_pct,
        settings.fat_target_pct,
        settings.macro_tolerance_pct
    from days
    inner join settings on days.athlete_id = settings.athlete_id and {{ in_force_on('days.date_day') }}
)

select * from final
