with settings as (
    select * from {{ ref('int_athlete_settings_scd') }}
),

athletes as (
    select * from {{ ref('int_athletes_loaded') }}
),

dated as (
    select
        *,
        {{ as_of_date('timezone') }} as as_of_date
    from settings
),

final as (
    select
        dated.athlete_id,
        dated.timezone,
        dated.as_of_date,
        dated.is_own as has_own_settings,
        athletes.last_loaded_at,
        dated.step_goal,
        dated.carbs_target_pct,
        dated.protein_target_pct,
        dated.fat_target_pct,
        dated.macro_tolerance_pct,
        dated.resting_heartrate_bpm,
        dated.max_heartrate_bpm,
        dated.sex
    from dated
    inner join athletes on dated.athlete_id = athletes.athlete_id
    where dated.as_of_date >= dated.valid_from and dated.as_of_date < dated.valid_before
    -- a move between time zones on the very day could leave two answers: the later statement counts
    qualify row_number() over (partition by dated.athlete_id order by dated.valid_from desc) = 1
)

select * from final
