{{ config(**daily('recorded_on')) }}

with points as (
    {{ current_points(ref('stg_activity_files__points'), ref('int_recordings')) | indent }}
),

heartrate as (
    {{ channel_by_second('points', 'heartrate_bpm') | indent }}
),

power as (
    {{ channel_by_second('points', 'power_w') | indent }}
),

distance as (
    {{ channel_by_second('points', 'distance_mm') | indent }}
),

speeds as (
    select
        *,
        lead(value) over (partition by athlete_id, activity_id order by second) as next_mm
    from distance
),

held as (
    select
        athlete_id,
        activity_id,
        recorded_on,
        'heartrate' as channel,
        cast(round(value) as int64) as value,
        holds_until - second as held_s
    from heartrate
    where holds_until is not null
    union all
    select
        athlete_id,
        activity_id,
        recorded_on,
        'power' as channel,
        cast(round(value) as int64) as value,
        holds_until - second as held_s
    from power
    where holds_until is not null
    union all
    -- speed in centimetres a second, in steps of five
    select
        athlete_id,
        activity_id,
        recorded_on,
        'pace' as channel,
        5 * cast(round(greatest(next_mm - value, 0) / (holds_until - second) / 50) as int64) as value,
        holds_until - second as held_s
    from speeds
    where holds_until is not null
),

final as (
    select
        athlete_id,
        activity_id,
        recorded_on,
        channel,
        value,
        cast(sum(held_s) as int64) as time_s
    from held
    group by athlete_id, activity_id, recorded_on, channel, value
)

select * from final
