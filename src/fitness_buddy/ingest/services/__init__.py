"""Call the services that hold an athlete's data: logins, requests, rate limits. Nothing here imports a warehouse."""
