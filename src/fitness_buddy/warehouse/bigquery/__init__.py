"""BigQuery and its buckets. Nothing is imported here: Google's client takes two seconds."""
