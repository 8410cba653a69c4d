with settings as (
    select * from {{ ref('athlete_settings') }}
),

athletes as (
    select * from {{ ref('int_athletes_loaded') }}
),

athletes_with_own as (
    select distinct athlete_id from settings
),

applied as (
    select
        athletes.athlete_id,
        settings.athlete_id = athletes.athlete_id as is_own,
        settings.timezone,
        settings.step_goal,
        settings.carbs_target_pct,
        settings.protein_target_pct,
        settings.fat_target_pct,
        settings.macro_tolerance_pct,
        settings.resting_heartrate_bpm,
        settings.max_heartrate_bpm,
        settings.sex,
        settings.valid_from as stated_from,
        lead(settings.valid_from) over (partition by athletes.athlete_id order by settings.valid_from) as next_from,
        row_number() over (partition by athletes.athlete_id order by settings.valid_from) = 1 as is_first
    from athletes
    left join athletes_with_own on athletes.athlete_id = athletes_with_own.athlete_id
    -- '*' are the settings of everyone who has stated none
    inner join settings on coalesce(athletes_with_own.athlete_id, '*') = settings.athlete_id
),

periods as (
    select
        *,
        -- the first settings are also in force on all days before them
        case when is_first then date '1900-01-01' else stated_from end as valid_from,
        coalesce(next_from, date '2999-12-31') as valid_before
    from applied
),

final as (
    select
        athlete_id,
        valid_from,
        valid_before,
        {{ utc_from_local('valid_from', 'timezone') }} as valid_from_at,
        coalesce(
            lead({{ utc_from_local('valid_from', 'timezone') }}) over (partition by athlete_id order by valid_from),
            {{ utc_from_local('valid_before', 'timezone') }}
        ) as valid_before_at,
        is_own,
        timezone,
        step_goal,
        carbs_target_pct,
        protein_target_pct,
        fat_target_pct,
        macro_tolerance_pct,
        resting_heartrate_bpm,
        max_heartrate_bpm,
        sex
    from periods
)

select * from final
