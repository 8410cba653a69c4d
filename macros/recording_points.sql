{#- How points of recordings are read (models/intermediate/recordings). -#}

{#- Select the points of the current reading of each recording, with the UTC day of its start. -#}
{% macro current_points(points, recordings) -%}
select
    points.athlete_id,
    points.activity_id,
    recordings.recorded_on,
    points.stretch,
    points.elapsed_s,
    -- millimetres, so that distances are compared exactly
    cast(round(points.distance_m * 1000) as int64) as distance_mm,
    points.altitude_m,
    points.heartrate_bpm,
    points.power_w
from {{ points }} as points
inner join {{ recordings }} as recordings
    on
        points.athlete_id = recordings.athlete_id
        and points.activity_id = recordings.activity_id
        and points.load_id = recordings.load_id
{%- endmacro %}

{#- Select a channel second by second: of several records in one second the highest value, and the second up to which a
    value holds: the next record of the channel, unless a gap lies between (another stretch, or more than ten seconds). -#}
{% macro channel_by_second(points, value) -%}
select
    *,
    case when next_stretch = stretch and next_second - second <= 10 then next_second end as holds_until
from (
    select
        *,
        lead(second) over (partition by athlete_id, activity_id order by second) as next_second,
        lead(stretch) over (partition by athlete_id, activity_id order by second) as next_stretch
    from (
        select
            athlete_id,
            activity_id,
            recorded_on,
            cast(floor(elapsed_s) as int64) as second,
            max(stretch) as stretch,
            max({{ value }}) as value
        from {{ points }}
        where {{ value }} is not null
        group by athlete_id, activity_id, recorded_on, cast(floor(elapsed_s) as int64)
    ) as by_second
) as followed
{%- endmacro %}

{#- Select the power of every second of unbroken stretches: a record holds until the next one, over at most ten seconds. -#}
{% macro power_seconds(by_second) -%}
select
    athlete_id,
    activity_id,
    recorded_on,
    second + number as second,
    -- a stretch of power begins after each record that does not hold
    begins_after,
    value as power_w
from (
    select
        *,
        count(case when holds_until is null then 1 end) over (
            partition by athlete_id, activity_id order by second desc
            rows between unbounded preceding and current row
        ) as begins_after
    from {{ by_second }}
) as broken
cross join {{ whole_numbers_between('0', 'coalesce(holds_until - second, 1) - 1') }}
{%- endmacro %}

{#- The durations of the power curve in seconds: 1 s to 5 h. -#}
{% macro power_durations() -%}
{{ return([
    1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 360, 480, 600, 720, 900, 1200, 1500, 1800, 2400, 2700, 3600,
    5400, 7200, 9000, 10800, 12600, 14400, 16200, 18000,
]) }}
{%- endmacro %}
