{{ config(**daily('steps_date')) }}

with versions as (
    select * from {{ ref('stg_steps__interval_counts') }}
),

interval_counts as (
    {{ current_versions('versions', 'record_id') | indent }}
),

settings as (
    select * from {{ ref('int_athlete_settings_scd') }}
),

athletes as (
    select * from {{ ref('int_athletes_as_of') }}
),

kinds as (
    select * from {{ ref('step_device_ranks') }}
),

localized as (
    select
        interval_counts.*,
        kinds.device_rank,
        settings.timezone,
        coalesce(
            interval_counts.stated_date, {{ local_date('interval_counts.started_at', 'settings.timezone') }}
        ) as first_date,
        coalesce(
            interval_counts.stated_end_date,
            interval_counts.stated_date,
            {{ local_date('coalesce(interval_counts.ended_at, interval_counts.started_at)', 'settings.timezone') }}
        ) as last_date,
        {{ unix_milliseconds('interval_counts.started_at') }} as record_starts_ms,
        case
            -- files that state no end count by the minute
            when interval_counts.ended_at is null then {{ unix_milliseconds('interval_counts.started_at') }} + 60000
            -- a record without a length has the first millisecond
            else greatest(
                {{ unix_milliseconds('interval_counts.ended_at') }},
                {{ unix_milliseconds('interval_counts.started_at') }} + 1
            )
        end as record_ends_ms
    from interval_counts
    inner join settings
        on
            interval_counts.athlete_id = settings.athlete_id
            and {{ in_force_at('interval_counts.started_at') }}
    inner join kinds on interval_counts.device_kind = kinds.device_kind
    where
        not interval_counts.is_deleted
        -- what no reader lets through is set aside, and staging's tests warn of it
        and interval_counts.step_source is not null
        and interval_counts.steps >= 0
        and coalesce(
            {{ unix_milliseconds('interval_counts.ended_at') }}
            - {{ unix_milliseconds('interval_counts.started_at') }},
            0
        ) between 0 and 2678400000  -- 31 days
    -- a count that names no device (Fitbit's JSON) gives way to the counts of devices for the same time
    qualify
        interval_counts.device_name <> ''
        or max(interval_counts.device_name) over (
            partition by interval_counts.athlete_id, interval_counts.step_source, interval_counts.started_at
        ) = ''
),

dates_over_midnight as (
    select
        localized.*,
        -- a bare value on BigQuery: there is no table to qualify it by
        day as steps_date -- noqa: RF02
    from localized
    cross join {{ days_between('localized.first_date', 'localized.last_date') }}
    where localized.first_date < localized.last_date
),

parts_over_midnight as (
    select
        *,
        case
            when steps_date = first_date then record_starts_ms
            else {{ midnight_ms('steps_date', 'utc_offset_s', 'timezone') }}
        end as starts_ms,
        case
            when steps_date = last_date then record_ends_ms
            else {{ midnight_ms(add_days('steps_date', 1), 'utc_offset_s', 'timezone') }}
        end as ends_ms
    from dates_over_midnight
),

parts as (
    select
        *,
        first_date as steps_date,
        record_starts_ms as starts_ms,
        record_ends_ms as ends_ms
    from localized
    where first_date >= last_date
    union all
    select * from parts_over_midnight
),

-- each interval on its local days: cut at midnight, its steps spread evenly over its time
intervals as (
    select
        parts.*,
        {{ steps_until('ends_ms') }} - {{ steps_until('starts_ms') }} as steps_of_day
    from parts
    inner join athletes on parts.athlete_id = athletes.athlete_id
    where parts.starts_ms < parts.ends_ms and parts.steps_date <= athletes.as_of_date
),

reached as (
    select
        *,
        max(ends_ms) over (
            partition by athlete_id, step_source, steps_date
            order by starts_ms, ends_ms, record_id
            rows between unbounded preceding and 1 preceding
        ) as reached_ms
    from intervals
),

-- intervals without a gap between them are one bout; of these, such as overlap are one contest for the same moments
bouts as (
    select
        *,
        sum(case when starts_ms <= reached_ms then 0 else 1 end) over in_time as bout,
        sum(case when starts_ms < reached_ms then 0 else 1 end) over in_time as contest
    from reached
    window in_time as (partition by athlete_id, step_source, steps_date order by starts_ms, ends_ms, record_id)
),

contested as (
    select * from bouts
    qualify count(*) over (partition by athlete_id, step_source, steps_date, contest) > 1
),

edges as (
    select
        athlete_id,
        step_source,
        steps_date,
        contest,
        record_id,
        starts_ms as at_ms
    from contested
    union all
    select
        athlete_id,
        step_source,
        steps_date,
        contest,
        record_id,
        ends_ms as at_ms
    from contested
),

numbered_edges as (
    select
        *,
        dense_rank() over (partition by athlete_id, step_source, steps_date, contest order by at_ms) as moment
    from edges
),

-- from one edge to the next, the same intervals claim the time
moments as (
    select
        athlete_id,
        step_source,
        steps_date,
        contest,
        moment,
        lead(at_ms) over (
            partition by athlete_id, step_source, steps_date, contest order by moment
        ) - at_ms as duration_ms
    from (
        select distinct
            athlete_id,
            step_source,
            steps_date,
            contest,
            moment,
            at_ms
        from numbered_edges
    ) as instants
),

moments_of_record as (
    select
        athlete_id,
        record_id,
        steps_date,
        min(moment) as first_moment,
        max(moment) - 1 as last_moment
    from numbered_edges
    group by athlete_id, record_id, steps_date
),

record_moments as (
    select
        moments_of_record.athlete_id,
        moments_of_record.record_id,
        moments_of_record.steps_date,
        number as moment -- noqa: RF02
    from moments_of_record
    cross join {{ whole_numbers_between('moments_of_record.first_moment', 'moments_of_record.last_moment') }}
),

claims as (
    select
        contested.*,
        record_moments.moment,
        moments.duration_ms
    from contested
    inner join record_moments
        on
            contested.athlete_id = record_moments.athlete_id
            and contested.record_id = record_moments.record_id
            and contested.steps_date = record_moments.steps_date
    inner join moments
        on
            contested.athlete_id = moments.athlete_id
            and contested.step_source = moments.step_source
            and contested.steps_date = moments.steps_date
            and contested.contest = moments.contest
            and record_moments.moment = moments.moment
),

-- of the intervals of one device the one with the most steps has the moment
claims_in_device as (
    select
        *,
        row_number() over in_device = 1 as is_first,
        first_value(steps_of_day / (ends_ms - starts_ms)) over in_device as first_per_ms
    from claims
    window
        in_device as (
            partition by athlete_id, step_source, steps_date, contest, moment, device_key
            order by steps_of_day desc, ends_ms - starts_ms desc, record_id
        )
),

left_in_device as (
    select
        athlete_id,
        record_id,
        steps_date,
        sum(case when is_first then duration_ms else 0 end) as own_ms,
        {{ steps_before('is_first', 'first_per_ms') }} as others_steps
    from claims_in_device
    group by athlete_id, record_id, steps_date
),

in_device as (
    select
        bouts.*,
        coalesce(left_in_device.own_ms, bouts.ends_ms - bouts.starts_ms) as own_ms,
        case
            when left_in_device.own_ms is null then bouts.steps_of_day
            else {{ steps_left(
                'bouts.steps_of_day', 'left_in_device.own_ms', 'bouts.ends_ms - bouts.starts_ms', 'left_in_device.others_steps'
            ) }}
        end as device_steps
    from bouts
    left join left_in_device
        on
            bouts.athlete_id = left_in_device.athlete_id
            and bouts.record_id = left_in_device.record_id
            and bouts.steps_date = left_in_device.steps_date
),

device_bouts as (
    select
        athlete_id,
        step_source,
        steps_date,
        bout,
        device_key,
        {{ exact_sum('device_steps') }} as device_bout_steps
    from in_device
    group by athlete_id, step_source, steps_date, bout, device_key
),

-- of the devices the first in rank has the moment, or the one that counted the most in the bout
claims_of_devices as (
    select
        claims.athlete_id,
        claims.record_id,
        claims.steps_date,
        claims.starts_ms,
        claims.ends_ms,
        claims.duration_ms,
        row_number() over by_rank = 1 as is_first_by_rank,
        first_value(in_device.device_steps / in_device.own_ms) over by_rank as first_by_rank_per_ms,
        row_number() over by_count = 1 as is_first_by_count,
        first_value(in_device.device_steps / in_device.own_ms) over by_count as first_by_count_per_ms
    from claims_in_device as claims
    inner join in_device
        on
            claims.athlete_id = in_device.athlete_id
            and claims.record_id = in_device.record_id
            and claims.steps_date = in_device.steps_date
    inner join device_bouts
        on
            claims.athlete_id = device_bouts.athlete_id
            and claims.step_source = device_bouts.step_source
            and claims.steps_date = device_bouts.steps_date
            and claims.bout = device_bouts.bout
            and claims.device_key = device_bouts.device_key
    where claims.is_first
    window
        by_rank as (
            partition by claims.athlete_id, claims.step_source, claims.steps_date, claims.contest, claims.moment
            order by claims.device_rank asc, device_bouts.device_bout_steps desc, claims.device_key asc
        ),
        by_count as (
            partition by claims.athlete_id, claims.step_source, claims.steps_date, claims.contest, claims.moment
            order by device_bouts.device_bout_steps desc, claims.device_rank asc, claims.device_key asc
        )
),

left_of_devices as (
    select
        athlete_id,
        record_id,
        steps_date,
        sum(case when is_first_by_rank then duration_ms else 0 end) as ms_by_rank,
        {{ steps_before('is_first_by_rank', 'first_by_rank_per_ms') }} as others_by_rank,
        sum(case when is_first_by_count then duration_ms else 0 end) as ms_by_count,
        {{ steps_before('is_first_by_count', 'first_by_count_per_ms') }} as others_by_count
    from claims_of_devices
    group by athlete_id, record_id, steps_date
),

resolved as (
    select
        in_device.*,
        device_bouts.device_bout_steps,
        case
            when left_of_devices.ms_by_rank is null then in_device.device_steps
            else {{ steps_left(
                'in_device.device_steps', 'left_of_devices.ms_by_rank', 'in_device.own_ms',
                'left_of_devices.others_by_rank'
            ) }}
        end as steps_by_rank,
        case
            when left_of_devices.ms_by_count is null then in_device.device_steps
            else {{ steps_left(
                'in_device.device_steps', 'left_of_devices.ms_by_count', 'in_device.own_ms',
                'left_of_devices.others_by_count'
            ) }}
        end as steps_by_count
    from in_device
    inner join device_bouts
        on
            in_device.athlete_id = device_bouts.athlete_id
            and in_device.step_source = device_bouts.step_source
            and in_device.steps_date = device_bouts.steps_date
            and in_device.bout = device_bouts.bout
            and in_device.device_key = device_bouts.device_key
    left join left_of_devices
        on
            in_device.athlete_id = left_of_devices.athlete_id
            and in_device.record_id = left_of_devices.record_id
            and in_device.steps_date = left_of_devices.steps_date
),

-- ranks decide, unless they leave too little of what one device counted in the bout
judged_by_bout as (
    select
        *,
        sum(device_steps) over (partition by athlete_id, step_source, steps_date, device_key) as device_day_steps,
        sum(steps_by_rank) over in_bout
        >= {{ var('steps_worn_share') }} * max(device_bout_steps) over in_bout - 0.001 as is_worn
    from resolved
    window in_bout as (partition by athlete_id, step_source, steps_date, bout)
),

-- and no day has fewer steps than one device alone counted
judged_by_day as (
    select
        *,
        sum(case when is_worn then steps_by_rank else steps_by_count end) over in_day
        >= max(device_day_steps) over in_day - 0.001 as is_enough
    from judged_by_bout
    window in_day as (partition by athlete_id, step_source, steps_date)
),

final as (
    select
        athlete_id,
        record_id,
        step_source,
        device_name,
        device_kind,
        steps_date,
        started_at,
        ended_at,
        steps_of_day as steps_stated,
        case when is_worn and is_enough then steps_by_rank else steps_by_count end as steps,
        case when not is_enough then 'day' when not is_worn then 'bout' else 'rank' end as decided_by,
        loaded_at,
        load_id
    from judged_by_day
)

select * from final
