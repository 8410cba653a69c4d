with athletes as (
    select * from {{ ref('int_athletes_as_of') }}
),

final as (
    select
        athlete_id,
        timezone,
        as_of_date,
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
        distance_unit,
        has_own_settings,
        last_loaded_at
    from athletes
)

select * from final
