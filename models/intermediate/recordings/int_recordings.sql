{{ config(**daily('recorded_on')) }}

with versions as (
    select * from {{ ref('stg_activity_files__sessions') }}
),

sessions as (
    {{ current_versions('versions', 'activity_id') | indent }}
),

sports as (
    select * from {{ ref('recorded_sports') }}
),

final as (
    select
        sessions.athlete_id,
        sessions.activity_id,
        sessions.loaded_at,
        sessions.load_id,
        sessions.file_name,
        sessions.content_hash,
        sessions.file_format,
        sessions.parser,
        sessions.parser_version,
        sessions.device,
        sessions.session_number,
        sessions.sessions,
        sessions.is_partial,
        sessions.started_at,
        sessions.utc_offset_s,
        sessions.name,
        sessions.sport,
        sessions.sub_sport,
        sessions.points,
        sessions.elapsed_time_s,
        sessions.moving_time_s,
        sessions.timer_time_s,
        sessions.distance_m,
        sessions.elevation_gain_m,
        sessions.average_heartrate_bpm,
        sessions.max_heartrate_bpm,
        sessions.average_power_w,
        sessions.max_power_w,
        sessions.stated_normalized_power_w,
        sessions.energy_kcal,
        sessions.dropped_points,
        sessions.clock_jumps,
        sessions.gps_jumps,
        sessions.gaps,
        sessions.min_latitude_deg,
        sessions.max_latitude_deg,
        sessions.min_longitude_deg,
        sessions.max_longitude_deg,
        sessions.polyline,
        cast(sessions.started_at as date) as recorded_on,
        {{ unix_milliseconds('sessions.started_at') }} as starts_ms,
        {{ unix_milliseconds('sessions.started_at') }}
        + cast(round(sessions.elapsed_time_s * 1000) as int64) as ends_ms,
        coalesce(exact.sport_type, sports.sport_type, sessions.sport, 'Workout') as sport_type,
        -- of two recordings of one activity the one whose text is first is chosen: whole before cut off, then a format
        -- that states most, then the one with more points; hash and number make the order complete
        concat(
            case when sessions.is_partial then '2' else '1' end,
            case sessions.file_format when 'fit' then '1' when 'tcx' then '2' else '3' end,
            cast(100000000 - least(coalesce(sessions.points, 0), 99999999) as string),
            sessions.content_hash,
            cast(1000 + sessions.session_number as string)
        ) as richness
    from sessions
    left join sports as exact on sessions.sport = exact.sport and sessions.sub_sport = exact.sub_sport
    left join sports on sessions.sport = sports.sport and sports.sub_sport is null
)

select * from final
