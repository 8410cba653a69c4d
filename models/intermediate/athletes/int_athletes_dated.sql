with settings as (
    select * from {{ ref('int_athlete_settings_ranged') }}
),

dated as (
    select
        *,
        {{ as_of_date('timezone') }} as as_of_date
    from settings
),

final as (
    select
        athlete_id,
        timezone,
        as_of_date,
        is_own as has_own_settings,
        last_loaded_at,
        step_goal,
        carbs_target_pct,
        protein_target_pct,
        fat_target_pct,
        macro_tolerance_pct,
        resting_heartrate_bpm,
        max_heartrate_bpm,
        sex
    from dated
    where as_of_date >= valid_from and as_of_date < valid_before
    -- a move between time zones on the very day could leave two answers: the later statement counts
    qualify row_number() over (partition by athlete_id order by valid_from desc) = 1
)

select * from final
