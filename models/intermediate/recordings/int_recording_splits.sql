{{ config(**daily('recorded_on')) }}

with points as (
    {{ current_points(ref('stg_activity_files__points'), ref('int_recordings')) | indent }}
),

measured as (
    select
        athlete_id,
        activity_id,
        recorded_on,
        stretch,
        elapsed_s,
        altitude_m,
        heartrate_bpm,
        power_w,
        max(distance_mm) over (
            partition by athlete_id, activity_id
            order by elapsed_s, distance_mm
            rows between unbounded preceding and current row
        ) as distance_mm,
        row_number() over (partition by athlete_id, activity_id order by elapsed_s, distance_mm) as position
    from points
    where distance_mm is not null
),

steps as (
    select
        *,
        lead(elapsed_s) over by_time - elapsed_s as step_s,
        lead(distance_mm) over by_time - distance_mm as step_mm,
        lead(altitude_m) over by_time - altitude_m as step_up_m,
        lead(stretch) over by_time = stretch as is_unbroken
    from measured
    window by_time as (partition by athlete_id, activity_id order by position)
),

units as (
    select
        'km' as unit,
        1000000 as unit_mm
    union all
    select
        'mi' as unit,
        1609344 as unit_mm
),

-- a step between two records counts in the split in which it begins
in_splits as (
    select
        steps.athlete_id,
        steps.activity_id,
        steps.recorded_on,
        units.unit,
        cast(floor(steps.distance_mm / units.unit_mm) as int64) + 1 as split,
        steps.elapsed_s,
        steps.step_s,
        steps.step_mm,
        steps.step_up_m,
        steps.heartrate_bpm,
        steps.power_w,
        case when steps.is_unbroken and steps.step_mm >= {{ moving_mm_s() }} * steps.step_s then steps.step_s else 0 end
            as moving_s
    from steps
    cross join units
    where steps.step_s is not null
),

final as (
    select
        athlete_id,
        activity_id,
        recorded_on,
        unit,
        split,
        min(elapsed_s) as start_offset_s,
        {{ exact_sum('step_s') }} as elapsed_s,
        {{ exact_sum('moving_s') }} as moving_s,
        sum(step_mm) / 1000.0 as distance_m,
        {{ exact_sum('case when heartrate_bpm is not null then heartrate_bpm * moving_s end') }}
        / nullif({{ exact_sum('case when heartrate_bpm is not null then moving_s end') }}, 0) as average_heartrate_bpm,
        {{ exact_sum('case when power_w is not null then power_w * moving_s end') }}
        / nullif({{ exact_sum('case when power_w is not null then moving_s end') }}, 0) as average_power_w,
        {{ exact_sum('greatest(step_up_m, 0)') }} as climb_m
    from in_splits
    group by athlete_id, activity_id, recorded_on, unit, split
)

select * from final
