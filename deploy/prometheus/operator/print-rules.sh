#!/bin/sh
# Prints the rules as PrometheusRules of the Prometheus operator:
#   sh operator/print-rules.sh | kubectl apply -f -
set -eu
cd "$(dirname "$0")/.."
for file in rules/*.yml; do
	cat <<END
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: my-service-$(basename "$file" .yml)
  labels:
    app.kubernetes.io/name: my-service
spec:
END
	sed 's/^/  /' "$file"
done
