with settings as (
    select * from {{ ref('int_athlete_settings_scd') }}
),

stated as (
    select * from {{ ref('zone_settings') }}
),

athletes as (
    select distinct athlete_id from settings
),

zone_types as (
    select distinct zone_type from stated
),

own as (
    select distinct
        athlete_id,
        zone_type
    from stated
),

-- an athlete who states zones of a type has none of the defaults of this type
who_states as (
    select
        athletes.athlete_id,
        zone_types.zone_type,
        coalesce(own.athlete_id, '*') as stated_by
    from athletes
    cross join zone_types
    left join own
        on athletes.athlete_id = own.athlete_id and zone_types.zone_type = own.zone_type
),

periods as (
    select
        who_states.athlete_id,
        who_states.zone_type,
        stated.zone,
        stated.from_value,
        stated.share_of,
        who_states.stated_by <> '*' as is_stated,
        stated.valid_from = min(stated.valid_from) over (partition by who_states.athlete_id, who_states.zone_type)
            as is_first,
        stated.valid_from as stated_from
    from who_states
    inner join stated on who_states.stated_by = stated.athlete_id and who_states.zone_type = stated.zone_type
),

starts as (
    select distinct
        athlete_id,
        zone_type,
        stated_from
    from periods
),

ends as (
    select
        athlete_id,
        zone_type,
        stated_from,
        lead(stated_from) over (partition by athlete_id, zone_type order by stated_from) as next_from
    from starts
),

dated as (
    select
        periods.*,
        case when periods.is_first then date '1900-01-01' else periods.stated_from end as zone_from,
        coalesce(ends.next_from, date '2999-12-31') as zone_before
    from periods
    inner join ends
        on
            periods.athlete_id = ends.athlete_id
            and periods.zone_type = ends.zone_type
            and periods.stated_from = ends.stated_from
),

valued as (
    select
        dated.athlete_id,
        dated.zone_type,
        dated.zone,
        dated.is_stated,
        greatest(dated.zone_from, settings.valid_from) as valid_from,
        least(dated.zone_before, settings.valid_before) as valid_before,
        case dated.share_of
            when 'max_heartrate' then dated.from_value * settings.max_heartrate_bpm
            when 'ftp' then dated.from_value * settings.ftp_w
            else dated.from_value
        end as from_value
    from dated
    inner join settings
        on
            dated.athlete_id = settings.athlete_id
            and dated.zone_before > settings.valid_from
            and dated.zone_from < settings.valid_before
),

final as (
    select
        *,
        lead(from_value) over (partition by athlete_id, zone_type, valid_from order by zone) as to_value
    from valued
    where from_value is not null
)

select * from final
