{{ config(**daily('recorded_on')) }}

with points as (
    {{ current_points(ref('stg_activity_files__points'), ref('int_recordings')) | indent }}
),

distances as (
    select
        distance_m,
        cast(round(distance_m * 1000) as int64) as effort_mm
    from {{ ref('best_effort_distances') }}
),

measured as (
    select
        athlete_id,
        activity_id,
        recorded_on,
        elapsed_s,
        -- a distance that jumps back is an error of the device
        max(distance_mm) over (
            partition by athlete_id, activity_id
            order by elapsed_s, distance_mm
            rows between unbounded preceding and current row
        ) as distance_mm
    from points
    where distance_mm is not null
),

spans as (
    select
        athlete_id,
        activity_id,
        recorded_on,
        max(distance_mm) - min(distance_mm) as covered_mm
    from measured
    group by athlete_id, activity_id, recorded_on
),

asked as (
    select
        spans.athlete_id,
        spans.activity_id,
        distances.distance_m,
        distances.effort_mm
    from spans
    inner join distances on spans.covered_mm >= distances.effort_mm
),

-- every record is a possible start, at its own distance, and a possible end, at the distance of its latest start
marks as (
    select
        measured.athlete_id,
        measured.activity_id,
        measured.recorded_on,
        asked.distance_m,
        asked.effort_mm,
        measured.distance_mm as at_mm,
        measured.elapsed_s as start_s,
        cast(null as float64) as end_s
    from measured
    inner join asked on measured.athlete_id = asked.athlete_id and measured.activity_id = asked.activity_id
    union all
    select
        measured.athlete_id,
        measured.activity_id,
        measured.recorded_on,
        asked.distance_m,
        asked.effort_mm,
        measured.distance_mm - asked.effort_mm as at_mm,
        cast(null as float64) as start_s,
        measured.elapsed_s as end_s
    from measured
    inner join asked on measured.athlete_id = asked.athlete_id and measured.activity_id = asked.activity_id
),

efforts as (
    select
        athlete_id,
        activity_id,
        recorded_on,
        distance_m,
        effort_mm,
        end_s,
        max(start_s) over (
            partition by athlete_id, activity_id, effort_mm
            order by at_mm, case when start_s is null then 1 else 0 end
            rows between unbounded preceding and current row
        ) as latest_start_s
    from marks
),

final as (
    select
        athlete_id,
        activity_id,
        recorded_on,
        distance_m,
        end_s - latest_start_s as elapsed_s,
        latest_start_s as start_offset_s
    from efforts
    where end_s is not null and latest_start_s is not null
    qualify
        row_number() over (
            partition by athlete_id, activity_id, effort_mm
            order by end_s - latest_start_s, latest_start_s
        ) = 1
)

select * from final
