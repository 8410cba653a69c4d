{{ config(
    materialized='incremental' if builds_incrementally() else 'table',
    incremental_strategy='merge',
    unique_key='athlete_id'
) }}

with loads as (
    select
        athlete_id,
        loaded_at
    from {{ ref('int_loads') }}
    {%- if is_incremental() %}
    union all
    select
        athlete_id,
        last_loaded_at as loaded_at
    from {{ this }}
    {%- endif %}
),

final as (
    select
        athlete_id,
        max(loaded_at) as last_loaded_at
    from loads
    group by athlete_id
)

select * from final
