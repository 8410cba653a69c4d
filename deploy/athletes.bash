# For make_settings and encode_secrets: the athletes of a server, and the secrets that each of them has.

# Flows do without these where they are empty.
athlete_secrets='NOTIFY DISCORD_URL STRAVA_REFRESH_TOKEN GOOGLE_HEALTH_REFRESH_TOKEN CALENDAR_URL EVENTS_SHEET_URL'
athlete_keys='STEPS_WEBHOOK_KEY MEAL_WEBHOOK_KEY ASK_WEBHOOK_KEY REMIND_WEBHOOK_KEY'

# setting NAME: prints a setting of .env in the working folder
setting() { sed -n "s/^$1=//p" .env | tail -n 1 | tr -d "\"' \r"; }

# further_suffixes: prints what the names of the secrets of each further athlete end with, such as _BEN. These are the
# athletes of BUDDY_ATHLETES (ATHLETE=ZONE, commas between) but for BUDDY_ATHLETE.
further_suffixes() {
    local own athletes part athlete suffix suffixes=' ' found=''
    own=$(setting BUDDY_ATHLETE)
    own=${own:-me}
    athletes=$(setting BUDDY_ATHLETES)
    [ -n "$athletes" ] || return 0
    while IFS= read -r -d , part; do
        [ -n "$part" ] || continue
        [[ $part =~ ^([A-Za-z0-9][A-Za-z0-9_.-]*)=[A-Za-z0-9_+/-]+$ ]] ||
            { echo ".env: BUDDY_ATHLETES: expected ATHLETE=ZONE, commas between, found $part" >&2; return 1; }
        athlete=${BASH_REMATCH[1]}
        suffix=_$(printf %s "$athlete" | tr 'a-z.-' 'A-Z__')
        [[ $suffixes != *" $suffix "* ]] ||
            { echo ".env: BUDDY_ATHLETES: the secrets of two athletes would have the same names ($suffix)" >&2; return 1; }
        suffixes+="$suffix "
        if [ "$athlete" = "$own" ]; then found=yes; else echo "$suffix"; fi
    done <<<"$athletes,"
    [ -n "$found" ] || { echo ".env: BUDDY_ATHLETES does not list BUDDY_ATHLETE ($own)" >&2; return 1; }
}
