{{ config(**daily('recorded_on', lookback_days=2)) }}

with recordings as (
    select * from {{ ref('int_recordings') }}
),

strava as (
    select
        athlete_id,
        activity_id,
        is_deleted,
        filename,
        {{ unix_milliseconds('started_at') }} as starts_ms,
        {{ unix_milliseconds('started_at') }} + elapsed_time_s * 1000 as ends_ms,
        cast(started_at as date) as started_on
    from {{ ref('int_strava_activities') }}
),

days_of_recordings as (
    select
        recordings.*,
        -- on BigQuery the value is not in a table that could qualify it
        day as near_day -- noqa: RF02
    from recordings
    cross join
        {{ days_between(add_days('recordings.recorded_on', -1), add_days('recordings.recorded_on', 1)) }}
),

-- an activity of Strava and a recording that may be of it: Strava's list names the file, or both begin within two
-- minutes and have time in common
candidates as (
    select
        recordings.athlete_id,
        recordings.activity_id as recording_id,
        recordings.content_hash,
        strava.activity_id,
        strava.is_deleted,
        coalesce({{ file_name('recordings.file_name') }} = {{ file_name('strava.filename') }}, false) as is_named,
        least(recordings.ends_ms, strava.ends_ms) - greatest(recordings.starts_ms, strava.starts_ms) as common_ms,
        abs(recordings.starts_ms - strava.starts_ms) as apart_ms,
        recordings.sessions
    from days_of_recordings as recordings
    inner join strava on recordings.athlete_id = strava.athlete_id and recordings.near_day = strava.started_on
),

named_or_near as (
    select * from candidates
    where
        (apart_ms <= 120000 and common_ms > 0)
        -- the clock of a device may be set to another time zone
        or (is_named and sessions = 1 and apart_ms <= 43200000)
),

best_of_recording as (
    select * from named_or_near
    qualify
        row_number() over (
            partition by athlete_id, recording_id
            order by is_named desc, is_deleted asc, common_ms desc, apart_ms asc, activity_id asc
        ) = 1
),

-- the sessions of one file are several activities
with_strava as (
    select * from best_of_recording
    qualify
        row_number() over (
            partition by athlete_id, activity_id, content_hash
            order by is_named desc, common_ms desc, apart_ms asc, recording_id asc
        ) = 1
),

marked as (
    select
        recordings.*,
        with_strava.activity_id as strava_id
    from recordings
    left join with_strava
        on recordings.athlete_id = with_strava.athlete_id and recordings.activity_id = with_strava.recording_id
),

marked_days as (
    select
        days_of_recordings.athlete_id,
        days_of_recordings.activity_id,
        days_of_recordings.content_hash,
        days_of_recordings.starts_ms,
        days_of_recordings.ends_ms,
        days_of_recordings.richness,
        days_of_recordings.near_day
    from days_of_recordings
    left join with_strava
        on
            days_of_recordings.athlete_id = with_strava.athlete_id
            and days_of_recordings.activity_id = with_strava.recording_id
    where with_strava.recording_id is null
),

-- two files of one activity, by the same rule of time
neighbours as (
    select
        marked_days.athlete_id,
        marked_days.activity_id,
        marked_days.richness,
        others.activity_id as other_id,
        others.richness as other_richness,
        others.strava_id
    from marked_days
    inner join marked as others
        on
            marked_days.athlete_id = others.athlete_id
            and marked_days.near_day = others.recorded_on
            and marked_days.content_hash <> others.content_hash
    where
        abs(marked_days.starts_ms - others.starts_ms) <= 120000
        and least(marked_days.ends_ms, others.ends_ms) > greatest(marked_days.starts_ms, others.starts_ms)
),

richest_neighbour as (
    select * from neighbours
    qualify
        row_number() over (
            partition by athlete_id, activity_id
            order by case when strava_id is null then 1 else 0 end, other_richness
        ) = 1
),

-- a recording leads if it is not Strava's, has no neighbour that is, and none that is richer
led as (
    select
        marked.athlete_id,
        marked.activity_id as recording_id,
        marked.recorded_on,
        marked.content_hash,
        marked.richness,
        marked.strava_id,
        richest_neighbour.strava_id as neighbour_strava_id,
        richest_neighbour.other_id,
        marked.strava_id is null
        and richest_neighbour.strava_id is null
        and coalesce(marked.richness < richest_neighbour.other_richness, true) as is_leader
    from marked
    left join richest_neighbour
        on marked.athlete_id = richest_neighbour.athlete_id and marked.activity_id = richest_neighbour.activity_id
),

joined as (
    select
        led.athlete_id,
        led.recording_id,
        led.recorded_on,
        led.content_hash,
        led.richness,
        coalesce(
            led.strava_id,
            led.neighbour_strava_id,
            case when not led.is_leader and leaders.is_leader then led.other_id end,
            led.recording_id
        ) as activity_id
    from led
    left join led as leaders on led.athlete_id = leaders.athlete_id and led.other_id = leaders.recording_id
),

apart as (
    select
        athlete_id,
        recording_id,
        recorded_on,
        richness,
        -- sessions of one file stay apart, also where a second file joins them
        case
            when
                row_number() over (
                    partition by athlete_id, activity_id, content_hash
                    order by case when activity_id = recording_id then 0 else 1 end, richness
                ) = 1
                then activity_id
            else recording_id
        end as activity_id
    from joined
),

final as (
    select
        athlete_id,
        recording_id,
        recorded_on,
        activity_id,
        row_number() over (partition by athlete_id, activity_id order by richness) = 1 as is_chosen
    from apart
)

select * from final
