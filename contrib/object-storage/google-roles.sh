#!/bin/sh
# Grants the service account of atlaudit what it needs in a bucket: events are created and never replaced, the state is
# replaced, which Google counts as a deletion.
#
#   ./google-roles.sh YOUR-PROJECT YOUR-BUCKET atlaudit@YOUR-PROJECT.iam.gserviceaccount.com
#
# Not run: written from Google's documentation of November 2026.
set -eu
project=$1 bucket=$2 member=serviceAccount:$3
objects=projects/_/buckets/$bucket/objects/audit

gcloud iam roles create atlauditEvents --project "$project" \
  --permissions storage.objects.get,storage.objects.create,storage.objects.list
gcloud iam roles create atlauditState --project "$project" --permissions storage.objects.delete

gcloud storage buckets add-iam-policy-binding "gs://$bucket" --member "$member" \
  --role "projects/$project/roles/atlauditEvents"
gcloud storage buckets add-iam-policy-binding "gs://$bucket" --member "$member" \
  --role "projects/$project/roles/atlauditState" \
  --condition "title=state,expression=resource.name.startsWith('$objects/_atlaudit/')"
