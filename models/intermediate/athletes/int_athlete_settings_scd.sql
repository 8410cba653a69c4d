with statements as (
    select
        athlete_id,
        valid_from,
        timezone,
        step_goal,
        carbs_target_pct,
        protein_target_pct,
        fat_target_pct,
        macro_tolerance_pct,
        resting_heartrate_bpm,
        max_heartrate_bpm,
        nullif(sex, '') as sex,
        ftp_w,
        lactate_threshold_heartrate_bpm,
        weight_kg,
        coalesce(first_day_of_week, 'monday') as first_day_of_week,
        coalesce(distance_unit, 'km') as distance_unit,
        0 as sequence
    from {{ ref('athlete_settings') }}
    union all
    select
        athlete_id,
        valid_from,
        timezone,
        step_goal,
        carbs_target_pct,
        protein_target_pct,
        fat_target_pct,
        macro_tolerance_pct,
        resting_heartrate_bpm,
        max_heartrate_bpm,
        sex,
        ftp_w,
        lactate_threshold_heartrate_bpm,
        weight_kg,
        coalesce(first_day_of_week, 'monday') as first_day_of_week,
        coalesce(distance_unit, 'km') as distance_unit,
        sequence
    from {{ ref('stg_athletes__settings') }}
),

-- what `buddy init` does not let through is set aside, and staging's tests warn of it
sound as (
    select statements.*
    from statements
    inner join {{ ref('time_zones') }} as time_zones on statements.timezone = time_zones.timezone
    where
        statements.valid_from is not null
        and statements.step_goal between 1 and 200000
        and coalesce(statements.carbs_target_pct between 0 and 100, true)
        and coalesce(statements.protein_target_pct between 0 and 100, true)
        and coalesce(statements.fat_target_pct between 0 and 100, true)
        and coalesce(statements.macro_tolerance_pct between 0 and 50, true)
        and coalesce(statements.resting_heartrate_bpm between 20 and 250, true)
        and coalesce(statements.max_heartrate_bpm between 20 and 250, true)
),

settings as (
    select * from sound
    -- of two statements for one day the later one counts; the seed's come first
    qualify row_number() over (partition by athlete_id, valid_from order by sequence desc) = 1
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
        settings.ftp_w,
        settings.lactate_threshold_heartrate_bpm,
        settings.weight_kg,
        settings.first_day_of_week,
        settings.distance_unit,
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
        sex,
        ftp_w,
        lactate_threshold_heartrate_bpm,
        weight_kg,
        first_day_of_week,
        distance_unit
    from periods
)

select * from final
