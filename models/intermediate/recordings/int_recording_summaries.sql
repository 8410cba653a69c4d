{{ config(**daily('recorded_on')) }}

with recordings as (
    select * from {{ ref('int_recordings') }}
),

points as (
    {{ current_points(ref('stg_activity_files__points'), 'recordings') | indent }}
),

by_second as (
    {{ channel_by_second('points', 'power_w') | indent }}
),

seconds as (
    {{ power_seconds('by_second') | indent }}
),

-- what lies on both sides of a gap is joined
rolled as (
    select
        athlete_id,
        activity_id,
        second,
        power_w,
        row_number() over by_time as position,
        avg(power_w) over (
            partition by athlete_id, activity_id order by second rows between 29 preceding and current row
        ) as rolling_power_w
    from seconds
    window by_time as (partition by athlete_id, activity_id order by second)
),

-- one row a second: position, heart rate and height may be in separate records
merged as (
    select
        athlete_id,
        activity_id,
        cast(floor(elapsed_s) as int64) as second,
        max(stretch) as stretch,
        max(distance_mm) as distance_mm,
        max(altitude_m) as altitude_m,
        max(heartrate_bpm) as heartrate_bpm
    from points
    group by athlete_id, activity_id, cast(floor(elapsed_s) as int64)
),

ordered as (
    select
        *,
        max(distance_mm) over (
            partition by athlete_id, activity_id order by second rows between unbounded preceding and current row
        ) as covered_mm
    from merged
),

stepped as (
    select
        *,
        lead(second) over by_time - second as step_s,
        coalesce(lead(covered_mm) over by_time - covered_mm, 0) as step_mm,
        coalesce(lead(stretch) over by_time = stretch, false) as is_unbroken
    from ordered
    window by_time as (partition by athlete_id, activity_id order by second)
),

moved as (
    select
        *,
        -- without any distance, as on a trainer, the time of unbroken stretches counts
        case
            when not is_unbroken then 0
            when covered_mm is null or step_mm >= {{ moving_mm_s() }} * step_s then step_s
            else 0
        end as moving_s
    from stepped
),

progressed as (
    select
        *,
        sum(moving_s) over (
            partition by athlete_id, activity_id order by second rows between unbounded preceding and current row
        ) as moved_s,
        sum(moving_s) over (partition by athlete_id, activity_id) as all_moving_s
    from moved
),

halved as (
    select
        progressed.*,
        case when progressed.moved_s * 2 <= progressed.all_moving_s then 1 else 2 end as half,
        case when rolled.position >= 30 then power(rolled.rolling_power_w, 4) end as power_4,
        rolled.power_w
    from progressed
    left join rolled
        on
            progressed.athlete_id = rolled.athlete_id
            and progressed.activity_id = rolled.activity_id
            and progressed.second = rolled.second
),

halves as (
    select
        athlete_id,
        activity_id,
        half,
        cast(sum(moving_s) as int64) as moving_s,
        sum(case when moving_s > 0 then step_mm end) as moved_mm,
        {{ exact_sum('case when heartrate_bpm is not null then heartrate_bpm * moving_s end') }}
        / nullif(sum(case when heartrate_bpm is not null then moving_s end), 0) as heartrate_bpm,
        power({{ exact_avg('case when moving_s > 0 then power_4 end') }}, 0.25) as normalized_power_w
    from halved
    group by athlete_id, activity_id, half
),

efficiencies as (
    select
        *,
        coalesce(normalized_power_w, moved_mm * 0.06 / nullif(moving_s, 0)) / nullif(heartrate_bpm, 0)
            as efficiency_factor
    from halves
),

decoupled as (
    select
        athlete_id,
        activity_id,
        cast(sum(moving_s) as int64) as moving_time_s,
        case
            when sum(moving_s) >= 1200
                then
                    100 * (
                        max(case when half = 1 then efficiency_factor end)
                        - max(case when half = 2 then efficiency_factor end)
                    )
                    / nullif(max(case when half = 1 then efficiency_factor end), 0)
        end as decoupling_pct,
        {{ exact_sum('heartrate_bpm * moving_s') }}
        / nullif(sum(case when heartrate_bpm is not null then moving_s end), 0) as moving_heartrate_bpm,
        sum(moved_mm) as moved_mm
    from efficiencies
    group by athlete_id, activity_id
),

powers as (
    select
        athlete_id,
        activity_id,
        power({{ exact_avg('case when position >= 30 then power(rolling_power_w, 4) end') }}, 0.25)
            as normalized_power_w,
        {{ exact_avg('power_w') }} as average_power_w,
        count(*) as power_s
    from rolled
    group by athlete_id, activity_id
),

-- pieces of 30 seconds, so that the noise of single heights does not count as a grade
pieces as (
    select
        athlete_id,
        activity_id,
        cast(floor(second / 30) as int64) as piece,
        min(covered_mm) as from_mm,
        max(covered_mm + step_mm) as to_mm,
        sum(case when moving_s > 0 then step_mm else 0 end) as moved_mm,
        {{ exact_avg('altitude_m') }} as altitude_m
    from moved
    where covered_mm is not null and altitude_m is not null
    group by athlete_id, activity_id, cast(floor(second / 30) as int64)
),

around as (
    select
        athlete_id,
        activity_id,
        moved_mm,
        lead(altitude_m) over by_time - lag(altitude_m) over by_time as rise_m,
        (lead(from_mm) over by_time + lead(to_mm) over by_time) / 2.0 as next_mm,
        (lag(from_mm) over by_time + lag(to_mm) over by_time) / 2.0 as previous_mm
    from pieces
    window by_time as (partition by athlete_id, activity_id order by piece)
),

graded as (
    select
        athlete_id,
        activity_id,
        moved_mm,
        greatest(least(coalesce(rise_m * 1000 / nullif(next_mm - previous_mm, 0), 0), 0.45), -0.45) as grade
    from around
),

adjusted as (
    select
        athlete_id,
        activity_id,
        -- the energy of running a metre at a grade over that on the flat (Minetti et al. 2002, J Appl Physiol 93:1039)
        {{ exact_sum(
            'moved_mm * (((((155.4 * grade - 30.4) * grade - 43.3) * grade + 46.3) * grade + 19.5) * grade + 3.6) / 3.6'
        ) }} as adjusted_mm
    from graded
    group by athlete_id, activity_id
),

final as (
    select
        recordings.athlete_id,
        recordings.activity_id,
        recordings.recorded_on,
        coalesce(decoupled.moving_time_s, 0) as moving_time_s,
        decoupled.moved_mm / 1000.0 as moved_m,
        decoupled.moving_heartrate_bpm,
        decoupled.decoupling_pct,
        powers.normalized_power_w,
        powers.average_power_w,
        coalesce(powers.power_s, 0) as power_s,
        case when powers.normalized_power_w is not null then 'power' else 'speed' end as efficiency_method,
        coalesce(powers.normalized_power_w, decoupled.moved_mm * 0.06 / nullif(decoupled.moving_time_s, 0))
        / nullif(decoupled.moving_heartrate_bpm, 0) as efficiency_factor,
        adjusted.adjusted_mm / 1000.0 as grade_adjusted_distance_m
    from recordings
    left join decoupled
        on recordings.athlete_id = decoupled.athlete_id and recordings.activity_id = decoupled.activity_id
    left join powers
        on recordings.athlete_id = powers.athlete_id and recordings.activity_id = powers.activity_id
    left join adjusted
        on recordings.athlete_id = adjusted.athlete_id and recordings.activity_id = adjusted.activity_id
)

select * from final
