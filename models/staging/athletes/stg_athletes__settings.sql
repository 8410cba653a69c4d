with final as (
    select
        athlete_id,
        sequence,
        loaded_at,
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
        first_day_of_week,
        distance_unit,
        goals
    from {{ source('athletes', 'settings') }}
)

select * from final
