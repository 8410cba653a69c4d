"""The pages of the site: what each shows, read from the marts; the same for a browser and for a folder."""
