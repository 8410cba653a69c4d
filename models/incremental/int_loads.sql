{{ config(materialized='table') }}
{% set goes_on = builds_incrementally() and is_built(this) and not should_full_refresh() %}
{% set since = loads_after(this) if goes_on else loaded_since(min_date()) %}

with versions as (
    {{ record_versions(since) | indent }}
),

loads as (
    select
        athlete_id,
        load_id,
        loaded_at,
        {{ run_instant() }} as first_read_at
    from versions
    {%- if goes_on %}
    union all
    -- loads that no build of all days has read, and loads of the last hour, after which others may become visible late
    select
        athlete_id,
        load_id,
        loaded_at,
        first_read_at
    from {{ this }}
    where loaded_at >= {{ since }} or {{ is_unread() }}
    {%- endif %}
),

final as (
    select
        athlete_id,
        load_id,
        max(loaded_at) as loaded_at,
        min(first_read_at) as first_read_at
    from loads
    group by athlete_id, load_id
)

select * from final
