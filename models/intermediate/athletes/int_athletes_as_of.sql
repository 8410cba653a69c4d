with settings as (
    select * from {{ ref('int_athlete_settings_scd') }}
),

athletes as (
    select * from {{ ref('int_athletes_loaded') }}
),

stated as (
    select
        *,
        {{ as_of_date('timezone') }} as as_of_date
    from settings
),

final as (
    select
        stated.athlete_id,
        stated.timezone,
        stated.as_of_date,
        stated.is_own as has_own_settings,
        athletes.last_loaded_at,
        stated.step_goal,
        stated.carbs_target_pct,
        stated.protein_target_pct,
        stated.fat_target_pct,
        stated.macro_tolerance_pct,
        stated.resting_heartrate_bpm,
        stated.max_heartrate_bpm,
        stated.sex,
        stated.ftp_w,
        stated.lactate_threshold_heartrate_bpm,
        stated.weight_kg,
        stated.first_day_of_week,
        stated.distance_unit
    from stated
    inner join athletes on stated.athlete_id = athletes.athlete_id
    where stated.as_of_date >= stated.valid_from and stated.as_of_date < stated.valid_before
    -- after a change of the time zone on this day two rows could match: the later one counts
    qualify row_number() over (partition by stated.athlete_id order by stated.valid_from desc) = 1
)

select * from final
