"""BigQuery and Google Cloud Storage. This file imports nothing, because Google's client takes two seconds."""
