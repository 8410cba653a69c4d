with final as (
    select
        athlete_id,
        activity_id,
        session as session_number,
        stretch,
        recorded_at,
        elapsed_s,
        distance_m,
        latitude_deg,
        longitude_deg,
        altitude_m,
        heartrate_bpm,
        power_w,
        cadence_rpm,
        speed_m_s,
        temperature_c,
        load_id,
        loaded_at
    from {{ source('activity_files', 'points') }}
    where recorded_at >= timestamp '{{ min_date() }} 00:00:00'
)

select * from final
